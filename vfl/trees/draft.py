"""What a feature party keeps of a model while it is trained: splits that its columns won, and what it told.

A draft is a log. Its head says which training it belongs to, an entry which splits were won in a level of a
tree and of which rows sums were told, another that the training went on after so many trees: splits of later
ones are void, but what was told stays told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from vfl.binning import Bins, Cuts
from vfl.errors import NotAligned, NotAllowed, StateError
from vfl.trees.columns import OwnSplit
from vfl.wire import messages as m

MAX_RESUMED = 100
"""How often one training may go on: every time may show the sums of a tree anew."""


class Grown(Struct, frozen=True, tag="grown", forbid_unknown_fields=True):
    """The training goes on after its first ``trees`` trees."""

    trees: int


class Level(Struct, frozen=True, tag="level", forbid_unknown_fields=True):
    """One level of a tree: splits won, and by node the digest of the rows whose sums were told."""

    tree: int
    splits: list[OwnSplit]
    told: dict[int, bytes]


class Kept(NamedTuple):
    """What stands of a draft: splits, and by tree how many came before it; by tree and node what was told.

    ``times``: in how many sums a row can have been, of the trees that stand.
    """

    splits: list[OwnSplit]
    before: list[int]
    told: dict[tuple[int, int], bytes]
    times: int


def head(opening: m.OpenTraining, cuts: Cuts, bins: Bins) -> bytes:
    """Return a digest of what must stay the same for a training to go on: its contract and this party's data.

    The Paillier key may be another one, and how far the training is.
    """
    contract = msgspec.structs.replace(opening, public_key=b"-", grown=0, splits=0)
    digest = hashlib.sha256(msgspec.msgpack.encode(contract))
    for array in (cuts.values, cuts.pointers, cuts.min_values, bins):
        digest.update(array.tobytes())
    return digest.hexdigest().encode()


def entry(event: Grown | Level) -> bytes:
    """Return an entry of a draft: one line of JSON."""
    return msgspec.json.encode(event)


def is_begun(lines: list[bytes]) -> bool:
    """Return whether sums were told, so that the training can only go on; raises StateError."""
    return any(isinstance(event, Level) for event in _events(lines))


def resumed(lines: list[bytes], expected: bytes, trees: int, n_splits: int) -> Kept:
    """Return what stands of a draft after its first ``trees`` trees.

    Args:
        lines: the head and entries of the draft; none where there is no draft.
        expected: the head that it must have.
        n_splits: how many splits the label party counts in those trees.

    Raises:
        NotAligned: the draft is of another contract, has other splits, or this party's data changed since.
        NotAllowed: the training went on too often.
        StateError: there is no draft, or it is damaged.
    """
    if not lines:
        raise StateError("nothing is kept here of a training of this model; train anew")
    if lines[0] != expected:
        raise NotAligned(
            "the training cannot go on: it was begun otherwise, or this party's data changed; "
            "train anew under another name"
        )
    events = _events(lines)
    if sum(isinstance(event, Grown) for event in events) >= MAX_RESUMED:
        raise NotAllowed(f"a training may go on {MAX_RESUMED} times; train anew under another name")
    standing = _standing([*events, Grown(trees)])
    splits = [split for level in standing for split in level.splits]
    if len(splits) != n_splits:
        raise NotAligned(f"{len(splits)} splits of those trees are kept here, not {n_splits}; train anew")
    before = [sum(len(level.splits) for level in standing if level.tree < tree) for tree in range(trees)]
    told = {
        (event.tree, node): digest
        for event in events
        if isinstance(event, Level) and event.tree >= trees
        for node, digest in event.told.items()
    }
    return Kept(splits, before, told, sum(bool(level.told) for level in standing))


def _events(lines: list[bytes]) -> list[Grown | Level]:
    try:
        return [msgspec.json.decode(line, type=Grown | Level) for line in lines[1:]]
    except msgspec.MsgspecError:
        raise StateError("the record of a training is damaged; train anew under another name") from None


def _standing(events: Iterable[Grown | Level]) -> list[Level]:
    """Return the levels that no later resumption made void."""
    standing: list[Level] = []
    for event in events:
        if isinstance(event, Level):
            standing.append(event)
        else:
            standing = [level for level in standing if level.tree < event.trees]
    return standing
