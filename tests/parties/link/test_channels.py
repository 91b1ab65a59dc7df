"""The stack of channels: what each exchange leaves behind, and in which order."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from parties.ledger.entries import Ledger
from parties.link.channels import channel_for_handshakes, channel_to_peers
from parties.link.handshake import shake_hands
from parties.storage import database
from vfl.scoring import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.session import LabelSession


@pytest.mark.parametrize("retrying", [True, False])
def test_a_handshake_comes_first_and_each_exchange_is_recorded_and_logged(
    pair: Any, retrying: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Ledger and log name the same job and kind of every message."""
    ledger = Ledger(database.connect(pair.bank))
    transport = LoopbackChannel({"bureau": pair.receive})
    channel = channel_to_peers(transport, ledger, pair.bank, retrying=retrying)
    agreed = pair.agreements.obtain("score", ["bureau"], model="m1", alignment="a1")
    before = ledger.head()[0]
    caplog.clear()
    with caplog.at_level(logging.INFO, "parties"):
        LabelSession(channel, "bureau", "job1", contract=agreed.digest).ask(pair.opening, m.ScoringOpened)
    entries = [entry for entry, _ in ledger.entries()][before:]
    assert [(entry.job, entry.kind) for entry in entries] == [
        ("handshake", "Hello"),
        ("job1", "OpenScoring"),
    ]
    events = [
        record.vfl for record in caplog.records if getattr(record, "vfl", {}).get("event") == "exchange"
    ]
    assert [event.get("kind") for event in events] == ["Hello", "OpenScoring"]
    assert events[1]["job"] == "job1"


def test_a_handshake_by_hand_is_recorded_once(pair: Any) -> None:
    """Whoever shakes hands itself gets a channel that does not do so before."""
    before = pair.bank_ledger.head()[0]
    transport = LoopbackChannel({"bureau": pair.receive})
    shake_hands(channel_for_handshakes(transport, Ledger(database.connect(pair.bank))), "bureau")
    assert [entry.kind for entry, _ in pair.bank_ledger.entries()][before:] == ["Hello"]
