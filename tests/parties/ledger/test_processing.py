"""The record of processing: each job with what went to whom, and what that revealed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.contracts.contract_store import ContractStore
from parties.keys import identity
from parties.ledger.channel import LedgerChannel
from parties.ledger.heads import JOBLESS
from parties.ledger.processing import Export, export, load, records
from parties.storage import database
from vfl.errors import DataError
from vfl.jobs import JOB_TYPES, PROTOCOL
from vfl.scoring import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode
from vfl.wire.session import LabelSession


def exported(pair: Any, peer: str | None = None) -> Export:
    contracts = ContractStore(database.connect(pair.bank))
    return export(pair.bank_ledger, contracts, pair.bank, identity.load(pair.bank).public, peer)


def test_each_way_to_begin_a_job_has_an_activity() -> None:
    """A record never lacks what a job does; a proposal begins none."""
    assert {opening.__name__ for opening in PROTOCOL.openings} == {o.__name__ for o in JOB_TYPES} | JOBLESS
    assert all(job.activity for job in JOB_TYPES.values())


def test_a_job_is_told_from_both_sides(pair: Any) -> None:
    """What one side disclosed the other has learnt, in the same numbers, bytes and words."""
    pair.score(messages=3)
    (ours,), (theirs,) = records(pair.bank_ledger), records(pair.bureau_ledger)  # the proposal is none
    (kept,) = ContractStore(database.connect(pair.bureau)).all()
    assert ours.contract == theirs.contract == kept.digest.hex()
    assert (ours.asked_by, theirs.asked_by) == ("us", "peer")
    assert (ours.ended, ours.signed, ours.requests, ours.refused) == ("closed", True, 6, 0)
    assert ours.disclosed == theirs.learnt
    assert ours.learnt == theirs.disclosed
    asked = next(told for told in ours.disclosed if told.kind == "AskDirections")
    assert asked.messages == 3
    assert asked.reveals == "exactly who is scored, when, and how often"


def test_refused_and_open_jobs_say_so(pair: Any) -> None:
    """A job that did not end as it should does not look as if it had."""
    contract = pair.agreements.obtain("score", ["bureau"], model="m1", alignment="a1").digest
    LabelSession(pair.channel, "bureau", "open", contract=contract).ask(pair.opening, m.ScoringOpened)
    frame = encode(Envelope("refused", 1, m.AskPart("unknown"), contract))
    pair.channel.exchange("bureau", frame)
    found = {record.job: record for record in records(pair.bank_ledger)}
    assert (found["open"].ended, found["refused"].ended) == ("open", "refused")
    assert found["refused"].learnt[0].kind == "Refusal"
    assert not found["open"].signed


def test_an_export_holds_the_whole_ledger_or_one_peers_part(pair: Any) -> None:
    """What is exported reads back the same, and is one peer's alone where that is asked."""
    pair.score()
    whole = exported(pair)
    assert load(msgspec.json.encode(whole)) == whole
    assert [line.entry for line in whole.entries] == [1, 2, 3, 4, 5]
    assert (len(whole.jobs), whole.signed) == (1, pair.bank_ledger.signed())
    (contract,) = whole.contracts
    assert {line.contract for line in whole.entries} == {contract.contract} == {whole.jobs[0].contract}
    assert (contract.purpose, contract.model, contract.parties) == ("not stated", "m1", "bank, bureau")
    assert exported(pair, "bureau").entries == whole.entries
    nobody = exported(pair, "somebody")
    assert (nobody.jobs, nobody.entries, nobody.signed, nobody.contracts) == ([], [], [], [])
    with pytest.raises(DataError, match="vfl audit export"):
        load(b"{}")


def test_a_peer_gets_no_columns_and_no_people(pair: Any) -> None:
    """Which columns a party gave, and who approved, is in its own record and not in what a peer may get."""
    pair.score()
    groups = msgspec.structs.replace(pair.bureau.data, groups={"late": ["delays"]})
    bureau, engine = msgspec.structs.replace(pair.bureau, data=groups), database.connect(pair.bureau)
    contracts = ContractStore(engine)
    (kept,) = contracts.all()
    contracts.decide(kept.digest, "alice", "approved", b"")
    own = export(pair.bureau_ledger, contracts, bureau, "0" * 64)
    assert (own.contracts[0].columns, own.contracts[0].approved_by) == ("balance, late (delays)", ["alice"])
    handed = msgspec.json.encode(export(pair.bureau_ledger, contracts, bureau, "0" * 64, "bank"))
    assert [told for told in (b"balance", b"delays", b"alice") if told in handed] == []


def test_a_channel_without_answers_leaves_an_entry(pair: Any) -> None:
    """A request that nobody answered counts as disclosed, and as failed."""

    def gone(_: bytes) -> bytes:
        return b""

    channel = LedgerChannel(LoopbackChannel({"bureau": gone}), pair.bank_ledger)
    channel.exchange("bureau", encode(Envelope("j", 1, m.AskPart("m1"))))
    (record,) = records(pair.bank_ledger)
    assert (record.refused, [told.kind for told in record.disclosed], record.learnt) == (1, ["AskPart"], [])
