"""What a feature party keeps of work that is under way, so that it can go on or be done again.

A journal is a log. Its head is a digest of the terms and of this party's data; its entries say what was told.
As long as nothing was told, work may begin anew on other terms. After that it is done again as it was begun
or not at all, and only so often: a label party must not learn from many attempts, each broken off before
its end, what it is not to learn from one.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import msgspec
import numpy.typing as npt
from msgspec import Struct

from vfl.errors import NotAligned, NotAllowed, StateError

MAX_ATTEMPTS = 10
"""How often work may be done of which something was told: as often as a label party opens a job by itself."""


class JournalStore(Protocol):
    """Where a feature party keeps its journals."""

    def start_journal(self, name: str, head: bytes) -> None:
        """Begin a journal, in place of an older one of that name."""
        ...

    def append_journal(self, name: str, entry: bytes) -> None:
        """Add an entry without a line feed to a journal; it outlives a crash once this has returned."""
        ...

    def load_journal(self, name: str) -> list[bytes]:
        """The head and the entries of a journal, none where there is no journal of that name.

        An entry whose writing was broken off is not among them.
        """
        ...


ANEW = "train anew under another name"


class AttemptRecord(Struct, frozen=True, tag="told", forbid_unknown_fields=True):
    """An attempt came to tell something."""


def terms_digest(terms: Struct, *data: npt.NDArray[Any]) -> bytes:
    """Return a digest of what must stay the same for work to be done again.

    Args:
        terms: the opening of the job, less what may differ: its key, for one.
        data: this party's.
    """
    digest = hashlib.sha256(msgspec.msgpack.encode(terms))
    for array in data:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest().encode()


def binning_journal(binning: str) -> str:
    """Return the name of the journal of a binning, which no model has."""
    return f"binning@{binning}"


class Journal:
    """The journal of one piece of work, begun or taken up.

    Args:
        store: where it is kept.
        name: of the model, or what `binning_journal` makes of the name of a binning.
        head: what `terms_digest` gave.
        kinds: which entries there may be, one type or several joined by ``|``.
        counted: the kind of entry that counts attempts.
        most: how many of these there may be.
        remedy: what the label party can do where the work cannot be done again.

    Attributes:
        entries: what earlier attempts wrote.

    Raises:
        NotAligned: something was told on other terms, or before this party's data changed.
        NotAllowed: there were as many attempts as there may be.
        StateError: the journal cannot be read or written.
    """

    def __init__(
        self,
        store: JournalStore,
        name: str,
        head: bytes,
        kinds: Any = AttemptRecord,
        counted: type[Struct] = AttemptRecord,
        most: int = MAX_ATTEMPTS,
        remedy: str = ANEW,
    ) -> None:
        self._store, self._name = store, name
        self._telling = False
        lines = store.load_journal(name)
        if len(lines) < 2:
            store.start_journal(name, head)
        elif lines[0] != head:
            raise NotAligned(f"this was begun on other terms, or this party's data changed since; {remedy}")
        try:
            self.entries: list[Any] = [msgspec.json.decode(line, type=kinds) for line in lines[1:]]
        except msgspec.MsgspecError:
            raise StateError(f"the journal of {name} is damaged; {remedy}") from None
        if sum(isinstance(entry, counted) for entry in self.entries) >= most:
            raise NotAllowed(f"this may be done {most} times and was; {remedy}")

    def keep(self, entry: Struct) -> None:
        """Add an entry; raises StateError where it cannot be written."""
        self._store.append_journal(self._name, msgspec.json.encode(entry))

    def tell(self) -> None:
        """Count this attempt, before what it comes to tell leaves; raises StateError as `keep` does."""
        if not self._telling:
            self._telling = True
            self.keep(AttemptRecord())
