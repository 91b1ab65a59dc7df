"""The ledger: an entry for every message, none with content, each chained to the one before."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys

import msgspec
import pytest
import sqlalchemy as sa

from parties.config import Config
from parties.ledger.chain import verify_chain
from parties.ledger.channel import LedgerChannel
from parties.ledger.entries import START, Heading, Ledger, Total, chained, heading
from parties.storage import database
from vfl.errors import PeerUnreachable
from vfl.psi import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode
from vfl.wire.message import Refusal

REQUEST = encode(Envelope("job1", 1, m.MaskPoints(b"secret" * 9)))
REFUSAL = encode(Envelope("job1", 1, Refusal("not_allowed", "no")))


def test_an_exchange_is_an_entry_without_content(bank: Config) -> None:
    """Kind, sizes and outcome are kept; not a byte of what was in the message."""
    ledger = Ledger(database.connect(bank))
    channel = LedgerChannel(LoopbackChannel({"bureau": lambda frame: REFUSAL}), ledger)
    channel.exchange("bureau", REQUEST)
    channel.exchange("bureau", REQUEST)
    expected = Total("out", "bureau", "MaskPoints", "not_allowed", 2, 2 * len(REQUEST), 2 * len(REFUSAL))
    assert ledger.totals() == [expected]
    with sqlite3.connect(bank.directory / "state" / "party.sqlite") as connection:
        dump = "\n".join(connection.iterdump())
    assert "job1" in dump
    assert "secret" not in dump


def test_a_failed_exchange_is_an_entry_too(bank: Config) -> None:
    """A peer that cannot be reached leaves a trace with the code of the error."""

    def fail(_: bytes) -> bytes:
        raise PeerUnreachable("gone")

    ledger = Ledger(database.connect(bank))
    with pytest.raises(PeerUnreachable):
        LedgerChannel(LoopbackChannel({"bureau": fail}), ledger).exchange("bureau", REQUEST)
    assert [total.outcome for total in ledger.totals()] == ["unreachable"]


NO_TEXT = REQUEST.replace(b"job1", b"job\xff")
DEEP = REQUEST[:1] + b"\x93\xa4job1\x01\x82\xa4kind\xa1K\xa4more" + b"\x91" * 100_000


@pytest.mark.parametrize(
    "frame", [b"", b"\x01", b"\x01\x93", REQUEST[:-9], b"\x01" + b"\x93\xa3a b\x01\x80", NO_TEXT, DEEP]
)
def test_foreign_bytes_have_no_heading(frame: bytes) -> None:
    """What cannot be read is entered as '-', never as what the bytes say."""
    assert heading(frame) == Heading("-", "-", 0, "-")


def test_an_entry_names_the_contract_of_its_message(bank: Config) -> None:
    """The digest of the contract that an envelope carries is in the entry, in hexadecimal."""
    frame = b"\x03" + msgspec.msgpack.encode(["job1", 2, {"kind": "SumRoot"}, b"\xab" * 32])
    ledger = Ledger(database.connect(bank))
    ledger.append("in", "bureau", frame, REFUSAL, "ok")
    ((entry, _),) = ledger.entries()
    assert (entry.contract, entry.sequence) == ("ab" * 32, 2)


def test_the_database_file_is_private(bank: Config) -> None:
    """The database names peers and jobs: its owner alone reads it."""
    database.connect(bank)
    assert (bank.directory / "state" / "party.sqlite").stat().st_mode & 0o777 == 0o600


def test_entries_are_chained_and_hold_digests(bank: Config) -> None:
    """Each hash covers the one before; both frames are there as their SHA-256."""
    ledger = Ledger(database.connect(bank))
    for _ in range(3):
        ledger.append("in", "bureau", REQUEST, REFUSAL, "not_allowed")
    ledger.append("out", "bureau", REQUEST, None, "unreachable")
    previous = START
    for number, (entry, link) in enumerate(ledger.entries(), start=1):
        assert entry.entry == number
        assert link == chained(previous, entry)
        assert entry.request_digest == hashlib.sha256(REQUEST).digest()
        assert entry.reply_digest == (hashlib.sha256(REFUSAL).digest() if number < 4 else b"")
        previous = link
    assert ledger.head() == (4, previous)


APPEND = """
import sys, threading
from parties import config
from parties.ledger.entries import Ledger
from parties.storage import database
ledger = Ledger(database.connect(config.load(sys.argv[1])))
threads = [
    threading.Thread(target=lambda: [ledger.append("in", sys.argv[2], b"x", b"y", "ok") for _ in range(40)])
    for _ in range(3)
]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_processes_and_threads_append_to_one_chain(bank: Config) -> None:
    """Whoever comes second is chained behind the first: nothing is lost, no number is there twice."""
    database.connect(bank)
    command = [sys.executable, "-c", APPEND, str(bank.directory)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([*command, name], env=environment) for name in ("one", "two")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    entries = list(Ledger(database.connect(bank)).entries())
    assert len(entries) == 240
    assert {entry.peer for entry, _ in entries} == {"one", "two"}
    assert list(verify_chain(entries)) == []


def test_an_append_that_fails_leaves_the_chain_whole(bank: Config) -> None:
    """A ledger that could not write goes on behind the last entry that is there."""
    engine = database.connect(bank)
    ledger = Ledger(engine)
    ledger.append("in", "bureau", REQUEST, REFUSAL, "ok")
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TRIGGER full BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(FAIL, 'x'); END")
        )
    with pytest.raises(sa.exc.SQLAlchemyError):
        ledger.append("in", "bureau", REQUEST, REFUSAL, "ok")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER full"))
    ledger.append("in", "bureau", REQUEST, REFUSAL, "ok")
    entries = list(ledger.entries())
    assert len(entries) == 2
    assert list(verify_chain(entries)) == []
