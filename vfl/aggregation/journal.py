"""A feature party's log of unfinished work, so that it can resume or begin again.

The head of a journal is a digest of the terms and of this party's data; its entries record what was
disclosed. Until then work may begin again on other terms. Afterwards it repeats on the same terms or not at
all, and only so often: a label party must not learn from many attempts, each interrupted before its end,
what it must not learn from one.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import msgspec
import numpy.typing as npt
from msgspec import Struct

from vfl.errors import NotAligned, NotAllowed, StateError

MAX_ATTEMPTS = 10
"""How many attempts may disclose something: as many as a label party makes by itself when it opens a job."""


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

        An entry that was not written to its end is not among them.
        """
        ...


ANEW = "train again under another name"


class AttemptRecord(Struct, frozen=True, tag="disclosed", forbid_unknown_fields=True):
    """An attempt disclosed something."""


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
    """The journal of one piece of work, new or resumed.

    Args:
        store: that holds it.
        name: of the model, or what `binning_journal` makes of the name of a binning.
        head: from `terms_digest`.
        kinds: which entries there may be, one type or several joined by ``|``.
        counted: the kind of entry that counts attempts.
        most: how many of these there may be.
        remedy: what the label party can do where the work cannot be done again.

    Attributes:
        entries: what earlier attempts wrote.

    Raises:
        NotAligned: an earlier attempt disclosed something on other terms or from other data.
        NotAllowed: there were already ``most`` attempts.
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
            raise NotAligned(
                "an earlier attempt used other terms, or this party's data has changed since; " + remedy
            )
        try:
            self.entries: list[Any] = [msgspec.json.decode(line, type=kinds) for line in lines[1:]]
        except msgspec.MsgspecError:
            raise StateError(f"the journal of {name} is damaged; {remedy}") from None
        if sum(isinstance(entry, counted) for entry in self.entries) >= most:
            raise NotAllowed(f"this was done {most} times, the most that is allowed; {remedy}")

    def keep(self, entry: Struct) -> None:
        """Add an entry; raises StateError where it cannot be written."""
        self._store.append_journal(self._name, msgspec.json.encode(entry))

    def tell(self) -> None:
        """Record that this attempt discloses something, before the reply leaves; raises as `keep` does."""
        if not self._telling:
            self._telling = True
            self.keep(AttemptRecord())
