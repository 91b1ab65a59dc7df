"""Jobs of every kind under contracts over real HTTPS: they run within one, and end with it in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from parties.config import Config
from parties.contracts.client import ContractClient
from parties.contracts.contract_store import REJECTED, ContractStore
from parties.feature.app import create_app
from parties.label.party import LabelParty
from parties.ledger.entries import Heading
from parties.link.transport import HttpsChannel
from parties.storage import database
from parties.storage.model_store import ModelStore
from tests.support.clock import MovableClock
from tests.support.hooked_transport import HookedTransport
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import PeerRefused
from vfl.linear_model.messages import AskPartialScores, PartialScoresGiven
from vfl.linear_model.params import LinearParams
from vfl.scoring import messages as m
from vfl.wire.session import LabelSession

TREES = TreeParams(n_estimators=2, max_depth=2, max_bin=8)
BINS = BinningParams(max_bins=3, min_iv=0.0)
WOE = LinearParams(standardise=False, max_iter=4)
SHARED = LinearParams(protocol="shared", max_iter=2)


class World(NamedTuple):
    """A bank that has aligned and binned with a served bureau, and trained trees and a linear model."""

    bank: Config
    bureau: Config
    bureau_clock: MovableClock


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any, maker: Any, grant: Any, join: Any, serving: Any) -> Iterator[World]:
    root: Path = tmp_path_factory.mktemp("contracted")
    make = maker(root)
    bank = make("bank", "label")
    limits = {"min_rows": 50, "min_bin_rows": 20, "max_directions": 2}
    bureau = grant(make("bureau", "feature"), bank, limits=limits)
    clock = MovableClock()
    with pytest.MonkeyPatch.context() as patch, serving(bureau, create_app(bureau, clock=clock)) as url:
        patch.setenv("VFL_PASSWORD", "test")
        bank = join(bank, bureau, url)
        with LabelParty(bank) as label:
            label.align(name="a1")
            label.bin(name="b1", params=BINS)
            label.train(name="trees", params=TREES)
            label.train(name="linear", params=LinearParams(max_iter=4))
        yield World(bank, bureau, clock)


WORK: dict[str, tuple[str, Callable[[LabelParty, str], Any]]] = {
    "align": ("OpenAlignment", lambda label, source: label.align()),
    "bin": ("LabelCounts", lambda label, source: label.bin(params=BINS)),
    "trees": ("SumRoot", lambda label, source: label.train(params=TREES)),
    "linear": ("OpenRound", lambda label, source: label.train(params=LinearParams(max_iter=4))),
    "weights of evidence": ("OpenRound", lambda label, source: label.train(params=WOE, binning="b1")),
    "shared": ("LabelRows", lambda label, source: label.train(params=SHARED)),
    "scores of trees": ("OpenScoring", lambda label, source: label.score("trees", source)),
    "scores of a linear model": (
        "OpenScoring",
        lambda label, source: label.score("linear", source),
    ),
}
"""Work of each kind, and a message in the middle of it."""


def for_purpose(config: Config, purpose: str) -> Config:
    """A bank that has no contract yet for what it wants now."""
    terms = msgspec.structs.replace(config.contract, purpose=purpose)
    return msgspec.structs.replace(config, contract=terms)


@pytest.mark.parametrize("ending", ["rejected", "expired"])
@pytest.mark.parametrize("work", WORK)
def test_a_job_ends_with_its_contract(
    world: World, monkeypatch: pytest.MonkeyPatch, work: str, ending: str
) -> None:
    """The very next message is refused, in words that say why; under another contract the work is done."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    kind, do = WORK[work]

    def end(message: Heading) -> None:
        if ending == "rejected":
            contract = bytes.fromhex(message.contract)
            ContractStore(database.connect(world.bureau)).set_state(contract, REJECTED)
        else:
            world.bureau_clock.offset = 31 * 86_400

    config, source = for_purpose(world.bank, f"{work}, {ending}"), world.bank.data.source
    transport = HookedTransport(HttpsChannel(config), kind, after=end)
    try:
        with (
            LabelParty(config, transport=transport) as label,
            pytest.raises(PeerRefused, match=r"people of this party rejected|contract has expired"),
        ):
            do(label, source)
    finally:
        world.bureau_clock.offset = 0
    assert transport.later is not None
    assert len(transport.later) == 1
    with LabelParty(for_purpose(world.bank, f"{work}, {ending}, again")) as label:
        do(label, source)


@pytest.mark.parametrize(
    ("model", "ask", "reply"),
    [
        ("trees", AskDirections, DirectionsGiven),
        ("linear", AskPartialScores, PartialScoresGiven),
    ],
)
def test_customers_of_every_model_count_for_the_rate(world: World, model: str, ask: Any, reply: Any) -> None:
    """Directions and partial scores alike: 25 an hour are 25, over jobs, and one more is refused."""
    _, alignments = ModelStore(world.bank).load_alignment("a1")
    opening = m.OpenScoring(model, "a1", alignments["bureau"].fingerprint)
    with HttpsChannel(world.bank) as channel:
        contracts = ContractClient(world.bank, channel, database.connect(world.bank))
        contract = contracts.obtain("score", ["bureau"], model=model, alignment="a1", rows_per_hour=25)
        for rows in (12, 13):
            session = LabelSession(channel, "bureau", contract=contract.digest)
            session.ask(opening, m.ScoringOpened)
            session.ask(ask(np.arange(rows, dtype="<u4").tobytes()), reply)
        with pytest.raises(PeerRefused, match="the contract allows 25 an hour") as caught:
            session.ask(ask(np.arange(1, dtype="<u4").tobytes()), reply)
    assert caught.value.peer_code == "rate_exceeded"
