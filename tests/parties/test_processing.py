"""The record of processing: each job with what went to whom, and what that revealed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties import identity
from parties.ledger import LedgerChannel
from parties.processing import PURPOSES, export, load, records
from vfl.errors import DataError
from vfl.wire import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode
from vfl.wire.session import LabelSession
from vfl.wire.states import OPENINGS


def test_each_way_to_begin_a_job_has_a_purpose() -> None:
    """A record never lacks the purpose of a job."""
    assert {opening.__name__ for opening in OPENINGS} - set(PURPOSES) == set()


def test_a_job_is_told_from_both_sides(pair: Any) -> None:
    """What one side disclosed the other has learnt, in the same numbers, bytes and words."""
    pair.score(messages=3)
    (ours,), (theirs,) = records(pair.bank_ledger), records(pair.bureau_ledger)
    assert (ours.asked_by, theirs.asked_by) == ("us", "peer")
    assert (ours.ended, ours.signed, ours.requests, ours.refused) == ("closed", True, 6, 0)
    assert ours.disclosed == theirs.learnt
    assert ours.learnt == theirs.disclosed
    asked = next(told for told in ours.disclosed if told.kind == "AskDirections")
    assert asked.messages == 3
    assert asked.reveals == "exactly who is scored, when, and how often"


def test_refused_and_open_jobs_say_so(pair: Any) -> None:
    """A job that did not end as it should does not look as if it had."""
    LabelSession(pair.channel, "bureau", "open").ask(pair.opening, m.ScoringOpened)
    frame = encode(Envelope("refused", 1, m.AskShare("unknown")))
    pair.channel.exchange("bureau", frame)
    found = {record.job: record for record in records(pair.bank_ledger)}
    assert (found["open"].ended, found["refused"].ended) == ("open", "refused")
    assert found["refused"].learnt[0].kind == "Refusal"
    assert not found["open"].signed


def test_an_export_holds_the_whole_ledger_or_one_peers_part(pair: Any) -> None:
    """What is exported reads back the same, and is one peer's alone where that is asked."""
    pair.score()
    public = identity.load(pair.bank).public
    whole = export(pair.bank_ledger, "bank", public)
    assert load(msgspec.json.encode(whole)) == whole
    assert [line.entry for line in whole.entries] == [1, 2, 3, 4]
    assert whole.signed == pair.bank_ledger.signed()
    nobody = export(pair.bank_ledger, "bank", public, "somebody")
    assert (nobody.jobs, nobody.entries, nobody.signed) == ([], [], [])
    with pytest.raises(DataError, match="vfl audit export"):
        load(b"{}")


def test_a_channel_without_answers_leaves_an_entry(pair: Any) -> None:
    """A request that nobody answered counts as disclosed, and as failed."""

    def gone(_: bytes) -> bytes:
        return b""

    channel = LedgerChannel(LoopbackChannel({"bureau": gone}), pair.bank_ledger)
    channel.exchange("bureau", encode(Envelope("j", 1, m.AskShare("m1"))))
    (record,) = records(pair.bank_ledger)
    assert (record.refused, [told.kind for told in record.disclosed], record.learnt) == (1, ["AskShare"], [])
