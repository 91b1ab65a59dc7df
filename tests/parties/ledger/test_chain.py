"""The check of a chain by itself: what was done to entries, told from their hashes alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.ledger.chain import AHEAD, MOST_BREAKS, Finding, Linked, verify_chain
from parties.ledger.entries import START, Entry, chained


def linked(length: int) -> list[Linked]:
    """Return a whole chain."""
    rows, previous = list[Linked](), START
    for number in range(1, length + 1):
        entry = Entry(
            number, "2026-01-01T00:00:00.000+00:00", "out", "bureau", "-", "job", number, "Gradients",
            900 + number, 40, bytes([number % 256]) * 32, bytes(32), "ok",
        )  # fmt: skip
        previous = chained(previous, entry)
        rows.append((entry, previous))
    return rows


def changed(rows: list[Linked], number: int) -> list[Linked]:
    """Return the chain with another size in one entry."""
    entry, link = rows[number - 1]
    return [*rows[: number - 1], (entry._replace(reply_bytes=41), link), *rows[number:]]


def renumbered(rows: list[Linked]) -> list[Linked]:
    """Return entries numbered from 1 without gaps, with the hashes that they had."""
    return [(entry._replace(entry=number), link) for number, (entry, link) in enumerate(rows, start=1)]


@pytest.mark.parametrize("length", [0, 1, 2, 40])
def test_a_chain_that_nobody_touched_is_whole(length: int) -> None:
    """Nothing is said of it, an empty one included."""
    assert list(verify_chain(linked(length))) == []


@settings(deadline=None, max_examples=50)
@given(numbers=st.sets(st.integers(1, 30), min_size=1, max_size=6))
def test_each_changed_entry_is_named_and_no_other(numbers: set[int]) -> None:
    """The check goes on behind a change, so that all of them are told, in order."""
    rows = linked(30)
    for number in numbers:
        rows = changed(rows, number)
    findings = list(verify_chain(rows))
    assert [finding.entry for finding in findings] == sorted(numbers)
    assert all(finding.text == f"entry {finding.entry} was changed" for finding in findings)


@pytest.mark.parametrize("number", [1, 4, 7])
def test_a_changed_hash_is_told_from_a_changed_entry(number: int) -> None:
    """Where the next entry follows the hash that should be there, only the hash was written over."""
    rows = linked(8)
    rows[number - 1] = rows[number - 1][0], bytes(32)
    assert list(verify_chain(rows)) == [Finding(number, f"entry {number} was changed: its hash is another")]


@pytest.mark.parametrize("number", [1, 4, 7])
def test_a_removed_entry_ends_the_check(number: int) -> None:
    """The gap is named, and nothing more is said: what comes after it cannot be told."""
    rows = linked(8)
    del rows[number - 1]
    text = f"entry {number} was removed: entry {number + 1} comes in its place"
    assert list(verify_chain(rows)) == [Finding(number, text)]


@pytest.mark.parametrize("number", [1, 4, 6])
def test_an_entry_removed_behind_new_numbers_is_told(number: int) -> None:
    """Without the gap in the numbers the hashes still tell."""
    rows = linked(8)
    del rows[number - 1]
    text = f"entry {number} was removed, and later entries were renumbered"
    assert list(verify_chain(renumbered(rows))) == [Finding(number, text)]


@pytest.mark.parametrize("number", [1, 4, 8])
def test_an_inserted_entry_is_told(number: int) -> None:
    """The entry that was there before follows behind it."""
    rows = linked(8)
    rows.insert(number - 1, (rows[0][0]._replace(kind="Forged"), bytes(32)))
    assert list(verify_chain(renumbered(rows))) == [Finding(number, f"entry {number} was inserted")]


@pytest.mark.parametrize("number", [1, 4, 7])
def test_exchanged_entries_are_told(number: int) -> None:
    """Two neighbours under each other's number are named together."""
    rows = linked(8)
    rows[number - 1], rows[number] = rows[number], rows[number - 1]
    text = f"entry {number} was exchanged with entry {number + 1}: they were reordered"
    assert list(verify_chain(renumbered(rows))) == [Finding(number, text)]


@pytest.mark.parametrize("other", [0, -4])
def test_an_entry_under_a_number_that_none_has_is_told(other: int) -> None:
    """It is read first, and its hash says where it belongs."""
    rows = linked(8)
    entry, link = rows.pop(5)
    rows = [(entry._replace(entry=other), link), *rows]
    assert list(verify_chain(rows)) == [Finding(6, f"entry 6 was changed: its entry is {other!r}")]


@pytest.mark.parametrize("other", [9, 40, "8"])
def test_the_last_entry_under_another_number_is_told(other: int | str) -> None:
    """A number too large, or none at all, stands where the last entry was."""
    rows = linked(8)
    entry, link = rows.pop()
    rows.append((entry._replace(entry=other), link))
    assert list(verify_chain(rows)) == [Finding(8, f"entry 8 was changed: its entry is {other!r}")]


def test_an_entry_without_a_number_that_belongs_nowhere_was_inserted() -> None:
    """It follows no entry, and the chain around it is whole."""
    rows = linked(8)
    rows.insert(0, (rows[3][0]._replace(entry=0, kind="Forged"), bytes(32)))
    assert [finding.text for finding in verify_chain(rows)] == ["an entry was inserted: its entry is 0"]


def test_a_last_entry_that_was_cut_off_is_not_seen_here() -> None:
    """A shorter chain is whole by itself: signatures tell of what is missing at its end."""
    assert list(verify_chain(linked(8)[:-1])) == []


def test_after_many_breaks_the_check_ends() -> None:
    """A ledger that was written over throughout gives a bounded report."""
    rows = linked(3 * MOST_BREAKS)
    for number in range(1, len(rows) + 1):
        rows = changed(rows, number)
    assert len(list(verify_chain(rows))) == MOST_BREAKS


def test_entries_are_read_as_they_are_needed() -> None:
    """The first finding needs the entries up to the break and a few after it, not the whole ledger."""
    read = []

    def rows() -> Iterator[Linked]:
        for row in changed(linked(50), 5):
            read.append(row[0].entry)
            yield row

    (finding,) = islice(verify_chain(rows()), 1)
    assert finding.entry == 5
    assert read == list(range(1, 5 + AHEAD + 1))


def test_a_field_of_another_kind_is_a_change() -> None:
    """Whatever a database lets in, the check names the entry and does not fail."""
    rows = linked(8)
    for value in (object(), 2**80, 1.5, None):
        spoilt = [*rows]
        spoilt[3] = rows[3][0]._replace(sequence=value), rows[3][1]
        assert list(verify_chain(spoilt)) == [Finding(4, "entry 4 was changed")]
