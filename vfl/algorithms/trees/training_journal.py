"""The journal of a training: the requests about each tree, and the splits by this party's columns.

An entry holds the splits of a level of a tree and a digest of the request there; another says that the
training resumed after so many trees. Splits of later trees are void, but these must grow again as before.
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
"""How often one training may resume: each time may disclose the sums of a tree once more."""


class Grown(Struct, frozen=True, tag="grown", forbid_unknown_fields=True):
    """The training resumes after its first ``trees`` trees."""

    trees: int


class Level(Struct, frozen=True, tag="level", forbid_unknown_fields=True):
    """One level of a tree: a digest of the request about it, and the splits that came with it."""

    tree: int
    level: int
    request_digest: bytes
    splits: list[Split]


class TrainingJournal:
    """The journal of one training, new or resumed.

    A tree that grows again after an interruption gets the same requests as before. So this party never
    discloses sums of two sets of rows of one tree that are almost the same: their difference would be a
    sum of the few rows by which the sets differ. An honest label party grows the same tree anyway.

    Args:
        store: that holds it.
        opening: of the job; its fields ``public_key``, ``grown`` and ``splits`` may differ from attempt to
            attempt.
        model: name of the model.
        grown: after how many trees the training resumes.
        n_splits: how many splits by this party's columns these have.
        data: this party's.

    Attributes:
        splits: of the first ``grown`` trees.
        before: for each of these trees how many splits came before it.
        levels: in how many of their levels sums may have been disclosed.

    Raises:
        NotAligned: the training began on other terms, has other splits, or this party's data changed.
        NotAllowed: it resumed too often.
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
            (entry.tree, entry.level): entry.request_digest for entry in entries if isinstance(entry, Level)
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
        """Store a level; raises StateError where it cannot be written."""
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
        """Store the latest request and its splits before the answer leaves."""
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
