"""Contracts over real HTTPS: nothing runs without one, and what is beyond one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from parties.config import Config
from parties.contracts.client import ContractClient
from parties.contracts.contract_store import REJECTED, ContractStore
from parties.data.rows import load
from parties.feature.app import create_app
from parties.keys import identity
from parties.label.party import LabelParty
from parties.link.transport import HttpsChannel
from parties.storage import database
from parties.storage.model_store import ModelStore
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from tests.support.clock import MovableClock
from vfl.aggregation.bitmap import to_bitmap
from vfl.algorithms.trees.messages import (
    AskDirections,
    DirectionsGiven,
    OpenTraining,
    OpenTree,
    TrainingOpened,
    TreeOpened,
)
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.keys import generate
from vfl.errors import AwaitingApproval, ConfigError, PeerRefused
from vfl.psi.label_party import align
from vfl.psi.messages import AlignmentOpened, OpenAlignment
from vfl.scoring import messages as m
from vfl.wire.contract import Contract
from vfl.wire.contract_messages import ContractAnswered, ProposeContract, Signature
from vfl.wire.session import LabelSession

USUAL_TERMS = {"trees": 10, "max_depth": 5, "node_rows": 20, "histogram_rows": 5}
PARAMS = TreeParams(n_estimators=2, max_depth=2, max_bin=8)
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFL_PASSWORD", "test")


@pytest.fixture
def channel(bank: Config, bureau: Config, serve: Make, join: Make) -> HttpsChannel:
    return HttpsChannel(join(bank, bureau, serve(bureau)))


def propose(channel: HttpsChannel, contract: Contract, *by: Config) -> ContractAnswered:
    digest = contract.digest()
    signatures = []
    for party in by:
        own = identity.load(party)
        signatures.append(Signature(bytes.fromhex(own.public), own.sign("contract", digest)))
    session = LabelSession(channel, "bureau", contract=digest)
    return session.ask(ProposeContract(contract.to_bytes(), signatures), ContractAnswered)


def test_nothing_runs_without_a_contract(channel: HttpsChannel) -> None:
    """An opening that names no contract, or one that nobody signed, is refused."""
    opening = OpenAlignment("a1", "left", ["customer_id: strip upper"], 200)
    for digest in (b"", bytes(32)):
        with pytest.raises(PeerRefused, match="has signed no such contract"):
            LabelSession(channel, "bureau", contract=digest).ask(opening, AlignmentOpened)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"action": "train", "alignment": "a1", "model": "m1", "terms": {"trees": 1_001}}, "trees=1001"),
        ({"action": "train", "alignment": "a1", "model": "m1", "terms": {"max_depth": 11}}, "max_depth=11"),
        (
            {
                "action": "train",
                "alignment": "a1",
                "model": "m1",
                "algorithm": "linear",
                "terms": {"rounds": 1_001},
            },
            "rounds=1001",
        ),
        ({"action": "train", "alignment": "a1", "model": "m1", "terms": {"node_rows": 4}}, "node_rows=4"),
        (
            {"action": "train", "alignment": "a1", "model": "m1", "terms": {"histogram_rows": 1}},
            "histogram_rows=1",
        ),
        ({"action": "train", "alignment": "a1", "model": "m1", "key_bits": 1024}, "key_bits=1024"),
        ({"action": "align", "alignment": "a1", "rows": 10_000_001}, "rows=10000001"),
        ({"action": "score", "alignment": "a1", "model": "m1", "rows_per_hour": 10_000_001}, "rows_per_hour"),
        ({"action": "align", "alignment": "a1", "expires": 1}, "expired"),
        ({"action": "align", "alignment": "a1", "expires": 2**40 - 1}, "days of validity"),
        ({"action": "align", "alignment": "a1", "created": 2**39, "expires": 2**39 + 9}, "in the future"),
        ({"action": "align"}, "names no alignment"),
        ({"action": "score", "alignment": "a1"}, "names no model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_contract_beyond_the_limits_is_not_signed(
    channel: HttpsChannel, bank: Config, bureau: Config, drafted: Make, terms: dict[str, Any], reason: str
) -> None:
    """Each rule refuses on its own, and what meets it is signed."""
    action = terms["action"]
    rest = {name: value for name, value in terms.items() if name != "action"}
    if "terms" in rest:
        rest["terms"] = USUAL_TERMS | rest["terms"]
    with pytest.raises(PeerRefused, match=reason):
        propose(channel, drafted(bank, bureau, action, **rest), bank)
    good = drafted(bank, bureau, "align", alignment="a1")
    answer = propose(channel, good, bank)
    assert answer.state == "signed"
    identity.verify(identity.load(bureau).public, "contract", good.digest(), answer.signature)


def test_signatures_are_checked(
    channel: HttpsChannel, make_party: Make, bank: Config, bureau: Config, drafted: Make
) -> None:
    """Unsigned, signed by a stranger, with the signature of other terms, or for another party: refused."""
    stranger = make_party("stranger", "label")
    contract = drafted(bank, bureau, "align", alignment="a1")
    with pytest.raises(PeerRefused, match="does not bear your own signature"):
        propose(channel, contract)
    with pytest.raises(PeerRefused, match=r"none of its parties|does not bear your own signature"):
        propose(channel, contract, stranger)
    with pytest.raises(PeerRefused, match="not by the identity"):
        propose(channel, drafted(stranger, bureau, "align", alignment="a1"), stranger)
    with pytest.raises(PeerRefused, match="does not name this party"):
        propose(channel, drafted(bank, stranger, "align", alignment="a1"), bank)
    own = identity.load(bank)
    other = own.sign("contract", drafted(bank, bureau, "align", alignment="a2").digest())
    forged = ProposeContract(contract.to_bytes(), [Signature(bytes.fromhex(own.public), other)])
    with pytest.raises(PeerRefused, match="bad_signature"):
        LabelSession(channel, "bureau", contract=contract.digest()).ask(forged, ContractAnswered)
    assert propose(channel, contract, bank).state == "signed"


def openings(fingerprint: bytes, rows: int) -> OpenTraining:
    return OpenTraining(
        model="m1", alignment="a1", fingerprint=fingerprint, fit_rows=to_bitmap(np.ones(rows, bool)),
        watch_rows=to_bitmap(np.zeros(rows, bool)), public_key=b"\x91" * 256, fraction_bits=32,
        packed_rows=200, max_abs_g=1.0, max_h=0.25, max_bin=8, max_depth=2, trees=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"model": "m2"}, "another model"),
        ({"alignment": "a2"}, "another alignment"),
        ({"terms": {"trees": 1}}, "trees=2 asked; this contract"),
        ({"terms": {"max_depth": 1}}, "max_depth=2 asked; this contract"),
        ({"rows": 149}, "rows=150 asked; this contract"),
        ({"key_bits": 3072}, "key_bits=2048 asked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_training_keeps_to_its_contract(
    channel: HttpsChannel, agree: Make, terms: dict[str, Any], reason: str
) -> None:
    """Another model or alignment, one tree, level or row too many, a shorter key: refused when it opens."""
    usual = {
        "algorithm": "trees", "model": "m1", "alignment": "a1", "rows": 150, "key_bits": 2048,
    }  # fmt: skip
    numbers = {"terms": {"trees": 2, "max_depth": 2} | terms.get("terms", {})}
    digest = agree(channel, "train", **(usual | terms | numbers))
    with pytest.raises(PeerRefused, match=reason):
        LabelSession(channel, "bureau", contract=digest).ask(openings(bytes(32), 150), TrainingOpened)
    with pytest.raises(PeerRefused, match="another action"):
        LabelSession(channel, "bureau", contract=digest).ask(m.AskPart("m1"), m.PartGiven)


@pytest.fixture
def clock() -> MovableClock:
    """The time of both parties."""
    return MovableClock()


@pytest.fixture
def trained(bank: Config, bureau: Config, clock: MovableClock, serving: Make, join: Make) -> Iterator[Config]:
    """A bank that has aligned with a bureau and trained m1 with it."""
    with serving(bureau, create_app(bureau, clock=clock)) as url:
        bank = join(bank, bureau, url)
        with LabelParty(bank) as label:
            label.align(name="a1")
            label.train(name="m1", params=PARAMS)
        yield bank


def scoring(config: Config, channel: HttpsChannel, clock: Clock = SYSTEM_CLOCK, **terms: Any) -> LabelSession:
    contracts = ContractClient(config, channel, database.connect(config), clock)
    digest = contracts.obtain("score", ["bureau"], model="m1", alignment="a1", **terms).digest
    return LabelSession(channel, "bureau", contract=digest)


def test_a_scoring_rate_above_the_agreed_one_is_refused(trained: Config) -> None:
    """Rows are counted as often as they are asked for; over many jobs of one contract, too."""
    _, alignments = ModelStore(trained).load_alignment("a1")
    opening = m.OpenScoring("m1", "a1", alignments["bureau"].fingerprint)
    ten = AskDirections(np.arange(10, dtype="<u4").tobytes())
    with HttpsChannel(trained) as channel:
        for _ in range(2):
            session = scoring(trained, channel, rows_per_hour=25)
            session.ask(opening, m.ScoringOpened)
            session.ask(ten, DirectionsGiven)
        with pytest.raises(PeerRefused, match="the contract allows 25 an hour") as caught:
            session.ask(ten, DirectionsGiven)
        assert caught.value.peer_code == "rate_exceeded"
        other = scoring(trained, channel, rows_per_hour=1_000)
        other.ask(opening, m.ScoringOpened)
        other.ask(ten, DirectionsGiven)


def test_after_expiry_a_running_job_is_refused(trained: Config, clock: MovableClock) -> None:
    """The next message of a job whose contract has ended is refused; a new contract goes on."""
    _, alignments = ModelStore(trained).load_alignment("a1")
    opening = m.OpenScoring("m1", "a1", alignments["bureau"].fingerprint)
    with HttpsChannel(trained) as channel:
        session = scoring(trained, channel, clock)
        session.ask(opening, m.ScoringOpened)
        clock.offset = 31 * 86_400
        with pytest.raises(PeerRefused, match="contract has expired"):
            session.ask(AskDirections(b""), DirectionsGiven)
        scoring(trained, channel, clock).ask(opening, m.ScoringOpened)


def test_what_people_end_ends_at_once(trained: Config, bureau: Config) -> None:
    """A signed contract that is rejected later refuses the next message of a running job."""
    _, alignments = ModelStore(trained).load_alignment("a1")
    with HttpsChannel(trained) as channel:
        session = scoring(trained, channel)
        session.ask(m.OpenScoring("m1", "a1", alignments["bureau"].fingerprint), m.ScoringOpened)
        ContractStore(database.connect(bureau)).set_state(session.contract, REJECTED)
        with pytest.raises(PeerRefused, match="people of this party rejected"):
            session.ask(AskDirections(b""), DirectionsGiven)


def test_a_job_stays_under_the_contract_it_was_opened_under(trained: Config) -> None:
    """Another good contract does not carry the messages of a job."""
    _, alignments = ModelStore(trained).load_alignment("a1")
    with HttpsChannel(trained) as channel:
        session = scoring(trained, channel)
        session.ask(m.OpenScoring("m1", "a1", alignments["bureau"].fingerprint), m.ScoringOpened)
        session.contract = scoring(trained, channel, rows_per_hour=7).contract
        with pytest.raises(PeerRefused, match="under another contract"):
            session.ask(AskDirections(b""), DirectionsGiven)


def asking_for(config: Config, *columns: str) -> Config:
    peer = msgspec.structs.replace(config.peers["bureau"], columns=list(columns))
    return msgspec.structs.replace(config, peers={"bureau": peer})


@pytest.mark.parametrize(
    ("grant_", "asked", "agreed"),
    [
        ({}, [], ["balance", "delays"]),
        ({"columns": ["balance"]}, [], ["balance"]),
        ({"columns": ["balance"], "show_columns": True}, ["balance"], ["balance"]),
        ({"columns": ["balance"], "show_columns": True}, ["delays"], None),
        ({"show_columns": True}, ["nothing"], None),
        ({"show_columns": False}, ["balance"], None),
        ({"show_columns": False}, ["nothing"], None),
        ({"columns": ["nothing"]}, [], None),
    ],
)
def test_columns_are_those_that_are_offered_and_asked_for(
    make_party: Make, bank: Config, grant: Make, serve: Make, join: Make,
    grant_: dict[str, Any], asked: list[str], agreed: list[str] | None,
) -> None:  # fmt: skip
    """The contract covers what is offered; hidden names are refused in the same words as unknown ones."""
    bureau = grant(make_party("bureau", "feature"), bank, limits={"min_rows": 50}, **grant_)
    joined = asking_for(join(bank, bureau, serve(bureau)), *asked)
    with LabelParty(joined) as label:
        label.align(name="a1")
        if agreed is None:
            with pytest.raises(PeerRefused, match=r"offers? you|offer you"):
                label.train(name="m1", params=PARAMS)
            return
        label.train(name="m1", params=PARAMS)
    found = ContractStore(database.connect(bureau)).all()
    assert found[0].columns == agreed


def test_a_column_beyond_the_contract_cannot_be_asked_for(
    channel: HttpsChannel, bureau: Config, agree: Make
) -> None:
    """Where the contract covers one column there is no second one to name."""
    rows = load(channel._config)
    session = LabelSession(channel, "bureau", contract=agree(channel, "align", alignment="a1", rows=200))
    made = align({"bureau": session}, rows.identifiers, "a1")["bureau"]
    digest = agree(
        channel, "train", algorithm="trees", model="m1", alignment="a1", rows=200, key_bits=2048,
        terms={"trees": 2, "max_depth": 2},
    )  # fmt: skip
    contracts = database.contracts
    with database.connect(bureau).begin() as connection:  # as if one column had been agreed on
        connection.execute(contracts.update().values(columns='["balance"]'))
    session = LabelSession(channel, "bureau", contract=digest)
    opening = openings(made.fingerprint, len(made.identifiers))
    opening = msgspec.structs.replace(opening, public_key=generate(2048).public_key.to_bytes())
    assert len(session.ask(opening, TrainingOpened).columns) == 1
    with pytest.raises(PeerRefused, match="columns must ascend and exist"):
        session.ask(OpenTree(0, b"", [1]), TreeOpened)


def test_purposes_are_those_agreed_on(
    make_party: Make, bank: Config, grant: Make, serve: Make, join: Make
) -> None:
    """A party that names purposes signs for no other."""
    bureau = grant(make_party("bureau", "feature"), bank, purposes=["fraud prevention"])
    joined = join(bank, bureau, serve(bureau))
    with LabelParty(joined) as label, pytest.raises(PeerRefused, match="for this purpose"):
        label.align(name="a1")
    terms = msgspec.structs.replace(joined.contract, purpose="fraud prevention")
    with LabelParty(msgspec.structs.replace(joined, contract=terms)) as label:
        label.align(name="a1")


def test_a_command_that_waited_goes_on_when_it_is_run_again(
    make_party: Make, bank: Config, grant: Make, serve: Make, join: Make
) -> None:
    """The same contract is proposed again, also where its name was made up; once approved, it runs."""
    bureau = grant(make_party("bureau", "feature"), bank, approvals=1)
    joined = join(bank, bureau, serve(bureau))
    at_bureau = ContractStore(database.connect(bureau))
    with LabelParty(joined) as label:
        for _ in range(2):
            with pytest.raises(AwaitingApproval, match="vfl contracts approve"):
                label.align()
        (waiting,) = at_bureau.all()
        at_bureau.decide(waiting.digest, "alice", "approved", b"")
        record = label.align()
    assert record.alignment == waiting.contract.alignment
    (after,) = at_bureau.all()
    assert (after.state, after.complete, after.approved_by({})) == ("signed", True, ["alice"])
    (own,) = ContractStore(database.connect(joined)).all()
    assert own.signatures == after.signatures


def test_a_peer_without_an_identity_gets_no_contract(
    make_party: Make, bank: Config, grant: Make, serve: Make, join: Make
) -> None:
    """Who cannot be held to a signature is not worked with, on either side."""
    bureau = grant(make_party("bureau", "feature"), bank)
    unknown = msgspec.structs.replace(bureau.peers["bank"], identity=None)
    joined = join(bank, bureau, serve(msgspec.structs.replace(bureau, peers={"bank": unknown})))
    with LabelParty(joined) as label, pytest.raises(PeerRefused, match="the identity that this party knows"):
        label.align()
    peer = msgspec.structs.replace(joined.peers["bureau"], identity=None)
    nameless = msgspec.structs.replace(joined, peers={"bureau": peer})
    with LabelParty(nameless) as label, pytest.raises(ConfigError, match="identity: missing"):
        label.align()
