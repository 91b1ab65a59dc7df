"""The ledger: an entry for every message, none with content, none that can be changed."""

from __future__ import annotations

import sqlite3

import pytest

from parties import database
from parties.config import Config
from parties.ledger import Ledger, LedgerChannel, Total, heading
from vfl.errors import PeerUnreachable
from vfl.wire import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode

REQUEST = encode(Envelope("job1", 1, m.MaskPoints(b"secret" * 9)))
REFUSAL = encode(Envelope("job1", 1, m.Refusal("not_allowed", "no")))


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


@pytest.mark.parametrize("frame", [b"", b"\x01", b"\x01\x93", REQUEST[:-9], b"\x01" + b"\x93\xa3a b\x01\x80"])
def test_foreign_bytes_have_no_heading(frame: bytes) -> None:
    """What cannot be read is entered as '-', never as what the bytes say."""
    assert heading(frame) == ("-", "-")


def test_the_database_file_is_private(bank: Config) -> None:
    """The database names peers and jobs: its owner alone reads it."""
    database.connect(bank)
    assert (bank.directory / "state" / "party.sqlite").stat().st_mode & 0o777 == 0o600
