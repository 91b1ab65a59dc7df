"""What a feature party keeps of a model while it is trained: the splits that its columns have won.

A draft is a log. Its head says which training it belongs to, an entry which splits were won in a level of a
tree, another that the training went on after so many trees: what came after them is void.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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


class Won(Struct, frozen=True, tag="won", forbid_unknown_fields=True):
    """Splits of one level of a tree."""

    tree: int
    splits: list[OwnSplit]


def head(opening: m.OpenTraining, cuts: Cuts, bins: Bins) -> bytes:
    """Return a digest of what must stay the same for a training to go on: its contract and this party's data.

    The Paillier key may be another one, and how far the training is.
    """
    contract = msgspec.structs.replace(opening, public_key=b"-", grown=0, splits=0)
    digest = hashlib.sha256(msgspec.msgpack.encode(contract))
    for array in (cuts.values, cuts.pointers, cuts.min_values, bins):
        digest.update(array.tobytes())
    return digest.hexdigest().encode()


def entry(event: Grown | Won) -> bytes:
    """Return an entry of a draft: one line of JSON."""
    return msgspec.json.encode(event)


def resumed(
    lines: list[bytes], expected: bytes, trees: int, n_splits: int
) -> tuple[list[OwnSplit], list[int]]:
    """Return the splits of the first ``trees`` trees of a draft, and by tree how many came before it.

    Args:
        lines: the head and entries of the draft.
        expected: the head that it must have.
        n_splits: how many splits the label party counts in those trees.

    Raises:
        NotAligned: the draft is of another contract, has other splits, or this party's data changed since.
        NotAllowed: the training went on too often.
        StateError: the draft is damaged.
    """
    if lines[0] != expected:
        raise NotAligned("the training cannot go on: its contract or this party's data changed; train anew")
    try:
        events = [msgspec.json.decode(line, type=Grown | Won) for line in lines[1:]]
    except msgspec.MsgspecError:
        raise StateError("the record of a training is damaged; train anew under another name") from None
    if sum(isinstance(event, Grown) for event in events) >= MAX_RESUMED:
        raise NotAllowed(f"a training may go on {MAX_RESUMED} times; train anew under another name")
    won = _standing([*events, Grown(trees)])
    splits = [split for level in won for split in level.splits]
    if len(splits) != n_splits:
        raise NotAligned(f"{len(splits)} splits of those trees are kept here, not {n_splits}; train anew")
    before = [sum(len(level.splits) for level in won if level.tree < tree) for tree in range(trees)]
    return splits, before


def _standing(events: Iterable[Grown | Won]) -> list[Won]:
    """Return the levels that no later resumption made void."""
    standing: list[Won] = []
    for event in events:
        if isinstance(event, Won):
            standing.append(event)
        else:
            standing = [level for level in standing if level.tree < event.trees]
    return standing
