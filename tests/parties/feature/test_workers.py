"""Workers: what a feature party answers a scoring job with, from its own files and its own configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.data.rows import Source
from parties.feature.dispatcher import Dispatcher
from parties.feature.workers import worker_for
from parties.ledger.entries import Ledger
from parties.storage import database
from parties.storage.peer_store import PeerStore
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.jobs import PROTOCOL
from vfl.model.question import SCORING_ROWS
from vfl.psi.alignment import Alignment
from vfl.scoring import messages as m
from vfl.wire.codec import Envelope, encode
from vfl.wire.message import Refusal

SHARE = TreesFeaturePart(
    columns=["balance", "delays"],
    splits=SplitTable(feature=[0, 1, 0], threshold=[3.5, 0.5, 1.5], default_left=[True, False, False]),
)
ALIGNMENT = Alignment.fix("a1", "bank", "left", b"k" * 32, ["C249", "C050", "C100"])
OPEN = m.OpenScoring("m1", "a1", ALIGNMENT.fingerprint)


@pytest.fixture
def bureau(bureau: Config) -> Config:
    """A feature party that has an alignment and a share of a model with the bank."""
    store = PeerStore(bureau, "bank", Source(bureau))
    store.save_alignment(ALIGNMENT)
    store.save_part("m1", SHARE)
    return bureau


@pytest.fixture
def contract(bank: Config, bureau: Config, signed: Callable[..., bytes]) -> bytes:
    """The digest of a contract to score with the model."""
    return signed(bank, bureau, "score", SHARE.columns, model="m1", alignment="a1")


def directions(*rows: int) -> AskDirections:
    return AskDirections(np.array(rows, dtype="<u4").tobytes())


@pytest.mark.parametrize(
    ("granted", "told"),
    [
        ({}, ["bureau", "bureau"]),
        ({"reasons": "none"}, []),
        ({"reasons": "groups"}, ["bureau", "payments"]),
        ({"reasons": "columns"}, ["balance", "delays"]),
    ],
    ids=["default", "none", "groups", "columns"],
)
def test_a_scoring_job_opens_with_the_names_granted(
    bureau: Config, contract: bytes, granted: dict[str, Any], told: list[str]
) -> None:
    """What a peer may tell comes from its grant and this party's groups, when the job opens."""
    peer = msgspec.structs.replace(bureau.peers["bank"], **granted)
    data = msgspec.structs.replace(bureau.data, groups={"payments": ["delays"]})
    config = msgspec.structs.replace(bureau, data=data, peers={"bank": peer})
    kept = ContractStore(database.connect(bureau)).get(contract)
    assert kept
    assert worker_for(config, Source(config), "bank", OPEN, kept)(OPEN) == m.ScoringOpened(3, 3, told)


def test_a_job_answers_any_number_of_requests_and_each_is_in_the_ledger(
    bureau: Config, contract: bytes
) -> None:
    """Requests after each other in one job get their rows; every one has an entry, the empty one too."""
    engine = database.connect(bureau)
    ledger = Ledger(engine)
    door = Dispatcher(bureau, engine, ledger)
    customers = [249, 50, 100]
    values = [(customer % 7, customer % 3 == 0) for customer in customers]
    bits = [[balance < 3.5, delays < 0.5, balance < 1.5] for balance, delays in values]
    for sequence, body in enumerate([OPEN, directions(), directions(2), directions(1, 0, 1)], start=1):
        frame = encode(Envelope("job", sequence, body, contract))
        status, answer = door.receive(bureau.peers["bank"].fingerprint, lambda frame=frame: frame)
        assert status == 200
        if isinstance(body, AskDirections):
            reply = PROTOCOL.decode_reply(answer).body
            assert isinstance(reply, DirectionsGiven)
            rows = np.frombuffer(body.rows, dtype="<u4").tolist()
            expected = [sum(bit << place for place, bit in enumerate(bits[row])) for row in rows]
            assert list(reply.go_left) == expected
    asked = next(total for total in ledger.totals() if total.kind == "AskDirections")
    assert (asked.messages, asked.outcome) == (3, "ok")


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (bytes(5), "malformed"),
        (directions(3).rows, "out_of_range"),
        (bytes(4 * SCORING_ROWS + 4), "malformed"),
    ],
    ids=["odd bytes", "past the end", "too many"],
)
def test_a_request_that_cannot_be_is_refused_and_recorded(
    bureau: Config, contract: bytes, rows: bytes, code: str
) -> None:
    """Whatever is wrong with the positions, the refusal says so and the ledger has it."""
    engine = database.connect(bureau)
    ledger = Ledger(engine)
    door = Dispatcher(bureau, engine, ledger)
    for sequence, body in enumerate([OPEN, AskDirections(rows)], start=1):
        frame = encode(Envelope("job", sequence, body, contract))
        _, answer = door.receive(bureau.peers["bank"].fingerprint, lambda frame=frame: frame)
    reply = PROTOCOL.decode_reply(answer).body
    assert isinstance(reply, Refusal)
    assert reply.code == code
    assert [total.outcome for total in ledger.totals() if total.kind == "AskDirections"] == [code]
