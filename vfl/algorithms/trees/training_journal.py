"""The journal of a training: what was asked about each tree, and the splits by this party's columns.

An entry says which splits a level of a tree has and what was asked there, another that the training
went on after so many trees: splits of later ones are void, but these must grow again as they did before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy.typing as npt
from msgspec import Struct

from vfl.aggregation.journal import ANEW, Journal, JournalStore, terms_digest
from vfl.algorithms.trees.columns import Split
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
    splits: list[Split]


class TrainingJournal:
    """The journal of one training, begun or taken up.

    A tree that is grown again, because the training was broken off, is asked about as it was before, request
    by request. So no sums are ever told of almost the rows of others of that tree: their difference would be
    a sum of the few rows by which these differ. An honest label party grows the same tree anyway.

    Args:
        store: where it is kept.
        opening: of the job; its fields ``public_key``, ``grown`` and ``splits`` may differ from attempt to
            attempt.
        model: name of the model.
        grown: after how many trees the training goes on.
        n_splits: how many splits by this party's columns these have.
        data: this party's.

    Attributes:
        splits: those of the trees that stand.
        before: for each of these trees how many splits came before it.
        levels: in how many levels of them sums can have been told.

    Raises:
        NotAligned: the training was begun on other terms, has other splits, or this party's data changed.
        NotAllowed: it went on too often.
        StateError: the journal cannot be read or written.
    """

    def __init__(
        self,
        store: JournalStore,
        opening: Struct,
        *,
        model: str,
        grown: int,
        n_splits: int,
        data: Sequence[npt.NDArray[Any]],
    ) -> None:
        terms = msgspec.structs.replace(opening, public_key=b"-", grown=0, splits=0)
        self._journal = Journal(store, model, terms_digest(terms, *data), Grown | Level, Grown, MAX_RESUMED)
        entries = self._journal.entries
        standing = _standing([*entries, Grown(grown)])
        self.splits = [split for level in standing for split in level.splits]
        if len(self.splits) != n_splits:
            raise NotAligned(
                f"{len(self.splits)} splits of those trees are kept here, not {n_splits}; {ANEW}"
            )
        self.before = [
            sum(len(level.splits) for level in standing if level.tree < tree) for tree in range(grown)
        ]
        self.levels = len(standing)
        self._digests = {
            (entry.tree, entry.level): entry.asked for entry in entries if isinstance(entry, Level)
        }
        if entries or grown:
            self._journal.keep(Grown(grown))

    def open_tree(self, tree: int, request: Struct) -> TreeJournal:
        """Begin a tree; raises NotAllowed where it was opened otherwise before."""
        return TreeJournal(self, tree, request)

    def digest(self, tree: int, level: int, request: Struct) -> bytes:
        """Return the digest of a request; raises NotAllowed where another one was answered before."""
        digest = hashlib.sha256(msgspec.msgpack.encode(request)).digest()
        if self._digests.get((tree, level), digest) != digest:
            raise NotAllowed(f"tree {tree} does not grow again as it did before; {ANEW}")
        return digest

    def keep(self, level: Level) -> None:
        """Write a level down; raises StateError where it cannot be written."""
        self._journal.keep(level)


class TreeJournal:
    """The entries of one tree.

    Args:
        journal: of the training.
        tree: number of the tree.
        request: that opens it.

    Raises:
        NotAllowed: the tree was opened otherwise before.
    """

    def __init__(self, journal: TrainingJournal, tree: int, request: Struct) -> None:
        self._journal, self._tree, self._level = journal, tree, 0
        self._digest = journal.digest(tree, 0, request)

    def check(self, request: Struct) -> None:
        """Go on to the next request; raises NotAllowed where another one was answered before."""
        self._level += 1
        self._digest = self._journal.digest(self._tree, self._level, request)

    def keep(self, splits: list[Split]) -> None:
        """Write down the latest request and the splits that it brought, before the answer leaves."""
        self._journal.keep(Level(self._tree, self._level, self._digest, splits))


def _standing(entries: Iterable[Grown | Level]) -> list[Level]:
    """Return the levels that no later resumption made void."""
    standing: list[Level] = []
    for entry in entries:
        if isinstance(entry, Level):
            standing.append(entry)
        else:
            standing = [level for level in standing if level.tree < entry.trees]
    return standing
