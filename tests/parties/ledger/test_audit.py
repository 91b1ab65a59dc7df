"""Audits: whatever is done to a ledger behind its back is found, and the first entry is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.keys import identity
from parties.ledger.audit import Verdict, verify
from parties.ledger.chain import Finding, Linked, verify_chain
from parties.ledger.entries import START, Entry, Ledger, Signed, chained
from parties.storage import database
from vfl.errors import ConfigError, StateError
from vfl.scoring import messages as m
from vfl.wire.session import LabelSession

TABLE = database.ledger
FIELDS = [column.name for column in TABLE.columns]

CLOSING = 5
"""The entry in which the first scoring job is signed: after the proposal and three messages."""


def audited(pair: Any, *, against_bureau: bool = False) -> Verdict:
    against = pair.bureau_ledger.signed() if against_bureau else []
    return audited_at(pair.bank, pair.bank_ledger, against)


def audited_at(party: Config, ledger: Ledger, against: Sequence[Signed] = ()) -> Verdict:
    peers = {name: peer.identity for name, peer in party.peers.items()}
    contracts = ContractStore(database.connect(party))
    return verify(ledger, contracts, identity.load(party).public, peers, against)


def first_break(entries: Iterable[Linked]) -> Finding | None:
    return next(verify_chain(entries), None)


def chain(length: int = 8) -> list[tuple[Entry, bytes]]:
    entries, previous = [], START
    for number in range(1, length + 1):
        entry = Entry(
            number, "2026-01-01T00:00:00.000+00:00", "out", "bureau", "-", "job", number, "Gradients",
            900 + number, 40, bytes([number]) * 32, bytes([number + 100]) * 32, "ok",
        )  # fmt: skip
        previous = chained(previous, entry)
        entries.append((entry, previous))
    return entries


def flipped(value: Any, byte: int, bit: int) -> Any:
    """Return a stored value with one bit of one byte changed."""
    if isinstance(value, int):
        return value ^ (1 << (byte * 8 + bit) % 40)
    raw = bytearray(value if isinstance(value, bytes) else value.encode())
    raw[byte % len(raw)] ^= 1 << bit
    return bytes(raw) if isinstance(value, bytes) else bytes(raw).decode("utf-8", "replace")


def test_what_nobody_touched_is_whole(pair: Any) -> None:
    """No finding on either side, and every job is signed."""
    for _ in range(3):
        pair.score()
    verdict = audited(pair, against_bureau=True)
    assert (verdict.findings, verdict.unsigned, verdict.signed) == ([], [], 3)
    assert verdict.entries == 3 * 5  # a proposal, and a job of four messages
    bureau = audited_at(pair.bureau, pair.bureau_ledger, pair.bank_ledger.signed())
    assert (bureau.findings, bureau.signed) == ([], 3)


@settings(max_examples=60, deadline=None)
@example(number=8, field="entry", byte=0, bit=3)  # becomes 0
@example(number=4, field="entry", byte=4, bit=7)  # is the last
@given(
    number=st.integers(1, 8), field=st.sampled_from([*Entry._fields, "hash"]),
    byte=st.integers(0, 40), bit=st.integers(0, 7),
)  # fmt: skip
def test_any_bit_of_any_field_is_found_and_named(number: int, field: str, byte: int, bit: int) -> None:
    """One bit of one byte of one field of one entry: that entry is the one named."""
    entries = chain()
    entry, link = entries[number - 1]
    if field == "hash":
        entries[number - 1] = entry, flipped(link, byte, bit)
    else:
        entries[number - 1] = entry._replace(**{field: flipped(getattr(entry, field), byte, bit)}), link
    found = first_break(entries)
    assert found is not None
    assert found.entry == number
    assert found.text.startswith(f"entry {number} was changed")


def test_two_changed_entries_are_both_named() -> None:
    """The check goes on behind a changed entry, also where only the hash is another."""
    entries = chain()
    for number, changes in ((2, {"kind": "Gradienus"}), (6, {"reply_bytes": 41})):
        entry, link = entries[number - 1]
        entries[number - 1] = entry._replace(**changes), link
    entry, link = entries[3]
    entries[3] = entry, flipped(link, 0, 0)
    assert list(verify_chain(entries)) == [
        (2, "entry 2 was changed"),
        (4, "entry 4 was changed: its hash is another"),
        (6, "entry 6 was changed"),
    ]


def test_an_entry_that_was_changed_whole_is_named() -> None:
    """However much of it was changed the entry is named; also the last, and none goes unseen."""
    for number in (3, 8):
        entries = chain()
        entry, link = entries[number - 1]
        entries[number - 1] = entry._replace(kind="CloseTraining", reply_bytes=0, outcome="no"), link
        assert list(verify_chain(entries)) == [(number, f"entry {number} was changed")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(1, CLOSING), field=st.sampled_from(FIELDS),
    byte=st.integers(0, 40), bit=st.integers(0, 7),
)  # fmt: skip
def test_any_bit_in_the_database_is_found_and_named(
    pair: Any, number: int, field: str, byte: int, bit: int
) -> None:
    """As above, in a database: also bytes that are no text any more, or no number."""
    engine = database.connect(pair.bank)
    if not pair.bank_ledger.head()[0]:
        pair.score()
    column = TABLE.c[field]
    assume(
        field != "entry" or not 1 <= flipped(number, byte, bit) <= CLOSING
    )  # the database refuses those itself
    with engine.begin() as connection:
        kept = connection.execute(sa.select(TABLE).where(TABLE.c.entry == number)).one()
        value = getattr(kept, field)
        if isinstance(value, str):
            raw = bytearray(value.encode())
            raw[byte % len(raw)] ^= 1 << bit
            connection.execute(
                sa.text(f"UPDATE ledger_entries SET {field} = CAST(:raw AS TEXT) WHERE entry = :entry"),
                {"raw": bytes(raw), "entry": number},
            )
        else:
            connection.execute(
                sa.update(TABLE).where(TABLE.c.entry == number).values({column: flipped(value, byte, bit)})
            )
    findings = audited(pair).findings
    with engine.begin() as connection:
        moved = number if field != "entry" else flipped(number, byte, bit)
        connection.execute(sa.delete(TABLE).where(TABLE.c.entry == moved))
        connection.execute(sa.insert(TABLE).values(kept._asdict()))
    assert findings[0].entry == number
    assert findings[0].text.startswith((f"entry {number} was changed", f"entry {number} was removed"))
    assert audited(pair).findings == []


def numbered(entries: list[tuple[Entry, bytes]]) -> list[tuple[Entry, bytes]]:
    return [(entry._replace(entry=place), link) for place, (entry, link) in enumerate(entries, start=1)]


@pytest.mark.parametrize("number", [1, 4, 7])
def test_removed_inserted_and_reordered_entries_are_named(number: int) -> None:
    """Also where the rest was numbered anew to hide it."""
    entries = chain()
    at = number - 1
    without = entries[:at] + entries[at + 1 :]
    found = first_break(without)
    assert found is not None
    assert found == (number, f"entry {number} was removed: entry {number + 1} comes in its place")
    hidden = first_break(numbered(without))
    assert hidden is not None
    assert hidden.entry == number
    foreign = (entries[at][0]._replace(kind="SumRoot"), bytes(32))
    inserted = first_break(numbered([*entries[:at], foreign, *entries[at:]]))
    assert inserted is not None
    assert inserted.entry == number
    swapped = [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]
    reordered = first_break(numbered(swapped))
    assert reordered is not None
    assert reordered.entry == number
    assert "reordered" in reordered.text


def rewritten(pair: Any, **changes: Any) -> None:
    """Change every entry of the bank's ledger and chain all of them anew, as its owner could."""
    entries = [entry._replace(**changes) for entry, _ in pair.bank_ledger.entries()]
    previous = START
    with database.connect(pair.bank).begin() as connection:
        connection.execute(sa.delete(TABLE))
        for entry in entries:
            previous = chained(previous, entry)
            connection.execute(sa.insert(TABLE).values({**entry._asdict(), "hash": previous}))


def test_a_ledger_written_anew_is_told_by_its_own_signatures(pair: Any) -> None:
    """The chain fits again, but the entry that the peer signed is not there."""
    pair.score()
    rewritten(pair, time="2020-01-01T00:00:00.000+00:00")
    assert first_break(pair.bank_ledger.entries()) is None
    (finding,) = audited(pair).findings
    assert "rewritten" in finding.text


def test_a_ledger_written_anew_is_told_by_what_the_peer_kept(pair: Any) -> None:
    """Even where every signature was thrown away on one side, the other side's copy shows it."""
    pair.score()
    with database.connect(pair.bank).begin() as connection:
        connection.execute(sa.delete(database.ledger_heads))
        connection.execute(sa.delete(TABLE).where(TABLE.c.entry == CLOSING))
    rewritten(pair, time="2020-01-01T00:00:00.000+00:00")
    assert audited(pair).findings == []
    (finding,) = audited(pair, against_bureau=True).findings
    assert "a peer keeps this party's signature" in finding.text


def test_a_ledger_that_was_cut_is_told_by_both(pair: Any) -> None:
    """Entries cut off the end: the own signed head names the first that is missing, as does the peer's."""
    pair.score()
    pair.score()
    engine = database.connect(pair.bank)
    with engine.begin() as connection:
        connection.execute(sa.delete(TABLE).where(TABLE.c.entry > CLOSING + 2))
    (finding,) = audited(pair).findings
    assert finding.entry == CLOSING + 3
    assert "the ledger was cut" in finding.text
    with engine.begin() as connection:
        connection.execute(sa.delete(database.ledger_heads).where(database.ledger_heads.c.entry > CLOSING))
    assert audited(pair).findings == []
    (finding,) = audited(pair, against_bureau=True).findings
    assert finding.entry == CLOSING + 3


def test_signatures_that_were_removed_or_changed_are_named(pair: Any) -> None:
    """What was signed can neither go nor change without the entry that records it telling so."""
    pair.score()
    engine, heads = database.connect(pair.bank), database.ledger_heads
    (kept,) = pair.bank_ledger.signed()
    spoiled = bytearray(kept.reply)
    spoiled[spoiled.index(b"signature") + 20] ^= 1
    with engine.begin() as connection:
        connection.execute(sa.update(heads).values(reply=bytes(spoiled)))
    assert audited(pair).findings[0] == (
        CLOSING,
        f"what was signed at entry {CLOSING} was changed: the signatures do not fit",
    )
    with engine.begin() as connection:
        connection.execute(sa.delete(heads))
    assert audited(pair).findings == [(CLOSING, f"what was signed at entry {CLOSING} was removed")]


def test_a_signature_by_somebody_else_is_told(pair: Any) -> None:
    """A head counts only where the configured identity of the peer signed it."""
    pair.score()
    stranger = msgspec.structs.replace(pair.bank.peers["bureau"], identity="0" * 64)
    other = msgspec.structs.replace(pair.bank, peers={"bureau": stranger})
    verdict = audited_at(other, pair.bank_ledger)
    assert "another identity" in verdict.findings[0].text


def test_jobs_that_were_not_signed_are_listed(pair: Any) -> None:
    """A job that was broken off is no finding, but is named."""
    pair.score()
    (kept,) = ContractStore(database.connect(pair.bank)).all()
    LabelSession(pair.channel, "bureau", "broken-off", contract=kept.digest).ask(
        pair.opening, m.ScoringOpened
    )
    verdict = audited(pair)
    assert (verdict.findings, verdict.unsigned) == ([], ["broken-off"])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (sa.update(database.contracts).values(contract=b"another"), "its terms were changed"),
        (sa.update(database.signatures).values(signature=bytes(64)), "was changed"),
        (sa.delete(database.contracts), "it was removed"),
    ],
)
def test_a_contract_that_is_not_what_was_signed_is_named(pair: Any, spoil: sa.Executable, told: str) -> None:
    """Entries name contracts by their digest, so terms cannot change behind them, nor who signed."""
    pair.score()
    with database.connect(pair.bank).begin() as connection:
        connection.execute(spoil)
    (finding,) = audited(pair).findings
    assert told in finding.text
    assert finding.entry == 2  # the first of the job


@pytest.mark.parametrize("seed", range(3))
def test_any_byte_of_the_database_file_is_found_or_holds_nothing_of_the_ledger(pair: Any, seed: int) -> None:
    """Wherever a bit of the file flips: named, or refused in words, or in no entry, head or contract."""
    pair.score()
    pair.bank_ledger.head()  # the tables are there, and what was written is
    home, random = pair.bank.directory / "state", Random(seed)
    for engine in (pair.bank_ledger._engine, database.connect(pair.bank)):
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        engine.dispose()
    whole, before = (home / "party.sqlite").read_bytes(), _content(home / "party.sqlite")
    missed = []
    for place in random.sample(range(len(whole)), 40):
        raw = bytearray(whole)
        raw[place] ^= 1 << random.randrange(8)
        for file in home.glob("party.sqlite*"):
            file.unlink()
        (home / "party.sqlite").write_bytes(raw)
        try:
            engine = database.connect(pair.bank)
            found = verify(
                Ledger(engine), ContractStore(engine), identity.load(pair.bank).public, {}
            ).findings
            engine.dispose()
        except (StateError, ConfigError):
            continue
        if not found and _content(home / "party.sqlite") != before:
            missed.append(place)
    assert missed == []


def _content(file: Path) -> list[tuple[Any, ...]]:
    """Return what an audit vouches for: entries, what was signed, terms and signatures of contracts."""
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        queries = (
            "SELECT * FROM ledger_entries ORDER BY entry",
            "SELECT * FROM ledger_heads ORDER BY entry",
            "SELECT digest, contract FROM contracts ORDER BY digest",
            "SELECT * FROM signatures ORDER BY digest, identity",
        )
        return [row for query in queries for row in connection.execute(query)]
