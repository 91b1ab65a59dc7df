"""Where the chain of a ledger breaks, and what was done there as far as that shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, product
from string import printable
from typing import Any, NamedTuple

from parties.ledger.entries import START, Entry, chained

Linked = tuple[Entry, bytes]

AHEAD = 2
"""Entries after a break that are looked at to tell what was done."""

MOST_BREAKS = 16
"""A chain that breaks more often is not looked at further."""

_WIDTHS = (1, 2, 3, 4, 6, 8)
"""Bytes in which SQLite stores a whole number."""


class Finding(NamedTuple):
    """An entry that something is wrong with, 0 where that is the whole database, and what."""

    entry: int
    text: str


def verify_chain(entries: Iterable[Linked]) -> Iterator[Finding]:
    """Yield each place where an entry does not follow the one before.

    What follows a changed entry is looked at too; behind one that was removed, inserted or moved, nothing can
    be told any more.
    """
    rows, found = iter(entries), 0
    strays: list[Linked] = []  # of a number that no entry has; those are read first or last
    previous, number = START, 1
    while (row := next(rows, None)) is not None and found < MOST_BREAKS:
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
            previous, number, found = stray[1], number + 1, found + 1
            continue
        expected = _link(previous, entry)
        if expected != link:
            found += 1
            after = list(islice(rows, AHEAD))
            rows = chain(after, rows)
            moved = _moved(previous, number, row, after)
            yield Finding(number, f"entry {number} {moved or _changed(previous, number, row, after)}")
            if moved:
                return
            if after and _follows(after[0], number + 1, expected):
                link = expected
        previous, number = link, number + 1
    for stray in strays:
        was = f"entry {number} was changed" if _follows(stray, number, previous) else "an entry was inserted"
        yield Finding(number, f"{was}: its entry is {stray[0].entry!r}")


def _moved(previous: bytes, number: int, row: Linked, after: Sequence[Linked]) -> str:
    """Return how entries were moved where one does not follow, empty where they were not.

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
        return "was removed, and those after it were numbered anew"
    return ""


def _changed(previous: bytes, number: int, row: Linked, after: Sequence[Linked]) -> str:
    """Return what of an entry in its place was changed."""
    entry, link = row
    expected = _link(previous, entry)
    if (after and _follows(after[0], number + 1, expected)) or len(_differing(expected, link)) == 1:
        return "was changed: its hash is another"
    changed = _changed_field(previous, entry, link)
    if changed:
        name, was = changed
        return f"was changed: its {name} was {_shown(was)} and is {_shown(getattr(entry, name))}"
    if after and _follows(after[0], number + 1, link):
        return "was changed in more than one byte"
    return "was changed in more than one byte, or another one was put in its place"


def _changed_field(previous: bytes, entry: Entry, link: bytes) -> tuple[str, object] | None:
    """Return the field, and its value before, that fits the hash when one byte of it is changed back."""
    for name, value in entry._asdict().items():
        for candidate in _near(value):
            if _link(previous, entry._replace(**{name: candidate})) == link:
                return name, candidate
    return None


def _near(value: object) -> Iterator[Any]:
    """Yield what a value may have been before one byte of it was changed, as a database stores it."""
    if isinstance(value, str):
        for place, other in product(range(len(value)), printable):
            yield value[:place] + other + value[place + 1 :]
    elif isinstance(value, bytes):
        for place, byte in product(range(len(value)), range(256)):
            yield value[:place] + bytes([byte]) + value[place + 1 :]
    elif isinstance(value, int):
        for width in _WIDTHS:
            if -(1 << 8 * width - 1) <= value < 1 << 8 * width - 1:
                for stored in _near(value.to_bytes(width, "big", signed=True)):
                    yield int.from_bytes(stored, "big", signed=True)


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _differing(one: bytes, other: object) -> list[int]:
    """Return where two hashes differ; everywhere where the second is none."""
    if not isinstance(other, bytes) or len(one) != len(other):
        return list(range(len(START)))
    return [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def _follows(at: Linked, number: int, previous: bytes) -> bool:
    return _link(previous, at[0]._replace(entry=number)) == at[1]


def _link(previous: bytes, entry: Entry) -> bytes:
    try:
        return chained(previous, entry)
    except (TypeError, OverflowError, ValueError):  # a field of another kind than this program writes
        return b""
