"""The draft of a training: what was asked of each tree, and which splits this party's columns won.

An entry says which splits were won in a level of a tree and what was asked there, another that the training
went on after so many trees: splits of later ones are void, but these must grow again as they did before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from vfl.aggregation.journal import ANEW, Journal, JournalStore, terms_digest
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.binning import Cuts
from vfl.algorithms.trees.columns import OwnSplit
from vfl.arrays import Bins
from vfl.errors import NotAligned, NotAllowed

MAX_RESUMED = 100
"""How often one training may go on: every time may show the sums of a tree once more."""


class Grown(Struct, frozen=True, tag="grown", forbid_unknown_fields=True):
    """The training goes on after its first ``trees`` trees."""

    trees: int


class Level(Struct, frozen=True, tag="level", forbid_unknown_fields=True):
    """One level of a tree: a digest of the request about it, and the splits that came with it."""

    tree: int
    level: int
    asked: bytes
    splits: list[OwnSplit]


class TrainingJournal:
    """The draft of one training, begun or taken up.

    A tree that is grown again, because the training was broken off, is asked about as it was before, request
    by request. So no sums are ever told of almost the rows of others of that tree: their difference would be
    a sum of the few rows by which these differ. An honest label party grows the same tree anyway.

    Args:
        store: where it is kept.
        opening: says after how many trees the training goes on, and how many splits they have of this party.
        cuts, bins: this party's data.

    Attributes:
        splits: those of the trees that stand.
        before: for each of these trees how many splits came before it.
        levels: in how many levels of them sums can have been told.

    Raises:
        NotAligned: the training was begun on other terms, has other splits, or this party's data changed.
        NotAllowed: it went on too often.
        StateError: the draft cannot be read or written.
    """

    def __init__(self, store: JournalStore, opening: m.OpenTraining, cuts: Cuts, bins: Bins) -> None:
        terms = msgspec.structs.replace(opening, public_key=b"-", grown=0, splits=0)
        data = (cuts.values, cuts.pointers, cuts.min_values, bins)
        self._draft = Journal(
            store, opening.model, terms_digest(terms, *data), Grown | Level, Grown, MAX_RESUMED
        )
        entries, trees = self._draft.entries, opening.grown
        standing = _standing([*entries, Grown(trees)])
        self.splits = [split for level in standing for split in level.splits]
        if len(self.splits) != opening.splits:
            raise NotAligned(
                f"{len(self.splits)} splits of those trees are kept here, not {opening.splits}; {ANEW}"
            )
        self.before = [
            sum(len(level.splits) for level in standing if level.tree < tree) for tree in range(trees)
        ]
        self.levels = len(standing)
        self._asked = {
            (entry.tree, entry.level): entry.asked for entry in entries if isinstance(entry, Level)
        }
        if entries or trees:
            self._draft.keep(Grown(trees))

    def open_tree(self, request: m.OpenTree) -> None:
        """Take the request that opens a tree; raises NotAllowed as `ask` does."""
        self._tree, self._level = request.tree, -1
        self.ask(request)

    def ask(self, request: m.OpenTree | m.GrowLevel) -> None:
        """Take the next request about the tree; raises NotAllowed where another one was answered before."""
        self._level += 1
        self._digest = hashlib.sha256(msgspec.msgpack.encode(request)).digest()
        if self._asked.get((self._tree, self._level), self._digest) != self._digest:
            raise NotAllowed(f"tree {self._tree} does not grow again as it did before; {ANEW}")

    def keep(self, splits: list[OwnSplit]) -> None:
        """Write down the request taken last and the splits it brought, before the answer leaves."""
        self._draft.keep(Level(self._tree, self._level, self._digest, splits))


def _standing(entries: Iterable[Grown | Level]) -> list[Level]:
    """Return the levels that no later resumption made void."""
    standing: list[Level] = []
    for entry in entries:
        if isinstance(entry, Level):
            standing.append(entry)
        else:
            standing = [level for level in standing if level.tree < entry.trees]
    return standing
