"""The check of a ledger's chain: which entries were changed, removed, inserted or moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from parties.ledger.entries import START, Entry, chained

Linked = tuple[Entry, bytes]

AHEAD = 2
"""Entries after a break that tell what was done."""

MOST_BREAKS = 16
"""After so many breaks the check ends."""


class Finding(NamedTuple):
    """An entry that something is wrong with, 0 where that is the whole database, and what."""

    entry: int
    text: str


def verify_chain(entries: Iterable[Linked]) -> Iterator[Finding]:
    """Yield each place where an entry does not follow the one before.

    The check goes on behind a changed entry; behind one that was removed, inserted or moved nothing more can
    be said.
    """
    rows, breaks = iter(entries), 0
    strays: list[Linked] = []  # of a number that no entry has; those are read first or last
    previous, number = START, 1
    while (row := next(rows, None)) is not None and breaks < MOST_BREAKS:
        entry, link = row
        if not isinstance(entry.entry, int) or entry.entry < 1:
            strays.append(row)
            continue
        if entry.entry > number:
            stray = next((one for one in (*strays, row) if _follows(one, number, previous)), None)
            if stray is None:
                yield Finding(number, f"entry {number} was removed: entry {entry.entry} comes in its place")
                return
            yield Finding(number, f"entry {number} was changed: its entry is {stray[0].entry!r}")
            if stray is not row:
                strays.remove(stray)
                rows = chain([row], rows)
            previous, number, breaks = stray[1], number + 1, breaks + 1
            continue
        expected = _link(previous, entry)
        if expected != link:
            breaks += 1
            after = list(islice(rows, AHEAD))
            rows = chain(after, rows)
            if move := _move(previous, number, row, after):
                yield Finding(number, f"entry {number} {move}")
                return
            if after and _follows(after[0], number + 1, expected):
                yield Finding(number, f"entry {number} was changed: its hash is another")
                link = expected
            else:
                yield Finding(number, f"entry {number} was changed")
        previous, number = link, number + 1
    for stray in strays:
        was = f"entry {number} was changed" if _follows(stray, number, previous) else "an entry was inserted"
        yield Finding(number, f"{was}: its entry is {stray[0].entry!r}")


def _move(previous: bytes, number: int, row: Linked, after: Sequence[Linked]) -> str:
    """Return which move of entries explains that one does not follow, empty where none does.

    Args:
        after: up to two entries that come after it.
    """
    if not after:
        return ""
    if _follows(after[0], number, previous):
        if _follows(row, number + 1, after[0][1]):
            return f"was exchanged with entry {number + 1}: they were reordered"
        return "was inserted"
    if _follows(after[0], number + 2, row[1]):
        return "was removed, and later entries were renumbered"
    return ""


def _follows(row: Linked, number: int, previous: bytes) -> bool:
    return _link(previous, row[0]._replace(entry=number)) == row[1]


def _link(previous: bytes, entry: Entry) -> bytes:
    try:
        return chained(previous, entry)
    except (TypeError, OverflowError, ValueError):  # a field of another kind than this program writes
        return b""
