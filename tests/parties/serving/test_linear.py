"""Linear models served over real HTTPS: scikit-learn on everybody's columns, and batch scoring, judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from parties.data.rows import Source
from parties.label.party import LabelParty
from parties.serving.publish import publish, withdraw
from parties.serving.service import Service
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from tests.support.serving_world import record, score_one
from vfl.algorithms.scorecard.params import BinningParams
from vfl.errors import StateError
from vfl.linear_model.export import MergedModel
from vfl.linear_model.messages import PartialScoresGiven
from vfl.linear_model.params import LinearParams
from vfl.wire.message import Message

UNKNOWN_TO_BUREAU = "c050"
MODELS = {"scaled": "linear", "in weights of evidence": "woe"}


@pytest.fixture(scope="module")
def scores(_world: Any) -> Iterator[dict[str, dict[str, float]]]:
    """Two linear models beside the trees of the world, published; by model and customer the batch score."""
    found = {}
    with LabelParty(_world.bank) as label:
        label.bin(name="b1", params=BinningParams(max_bins=3, min_iv=0.0), validation_fraction=0.2)
        label.train(name="linear", params=LinearParams(), validation_fraction=0.2)
        woe = LinearParams(standardise=False)
        label.train(name="woe", params=woe, binning="b1", validation_fraction=0.2)
        for model in MODELS.values():
            scored = label.score(model, _world.bank.data.source)
            found[model] = dict(zip(scored.keys["customer_id"], scored.scores.tolist(), strict=True))
            publish(_world.bank, model)
    yield found
    for model in MODELS.values():
        withdraw(_world.bank, model)


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request: Any, world: Any, scores: Any) -> str:
    return str(request.param)


@pytest.fixture
def service(world: Any, scores: Any) -> Iterator[Service]:
    with Service(world.bank) as made:
        yield made


def parts(world: Any, model: str) -> dict[str, Any]:
    """Every party's share, from its own files."""
    _, part = ModelStore(world.bank).load_model(model)
    found: dict[str, Any] = {"bank": part}
    for name, server in world.servers.items():
        found[name] = PeerStore(server.party, "bank", Source(server.party)).load_part(model)
    return found


def test_scores_are_scikit_learns_on_everybodys_columns(world: Any, scores: Any, model: str) -> None:
    """With the coefficients of all parties side by side; unknown customers add what is on record of them."""
    held = parts(world, model)
    customers = list(scores[model])
    blocks, coefficients = [], []
    for name, part in held.items():
        config = world.bank if name == "bank" else world.servers[name].party
        table = pd.read_csv(config.data.source).set_index("customer_id")[part.columns]
        raw = table.reindex(customers).to_numpy(np.float32)
        scaled = part.terms.scaling.apply(part.coded(raw))
        known = np.isin(customers, table.index)
        blocks.append(np.where(known[:, None], scaled, 0.0))
        coefficients += part.terms.coefficients
        if name != "bank":
            blocks.append(~known[:, None])
            coefficients.append(held["bank"].peers[held["bank"].owners.index(name)].unknown)
    pooled = np.hstack(blocks).astype(np.float64)
    judge = LogisticRegression().fit(pooled[:2], [0, 1])
    judge.coef_, judge.intercept_ = np.array([coefficients]), np.array([held["bank"].intercept])
    expected = judge.predict_proba(pooled)[:, 1]
    found = np.array(list(scores[model].values()))
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    low, high = (expected * (1 - 1e-12)).astype(np.float32), (expected * (1 + 1e-12)).astype(np.float32)
    assert ((low <= found) & (found <= high)).all(), "the float32 nearest to scikit-learn's number"


def test_scores_are_those_of_batch(scores: Any, service: Service, model: str) -> None:
    """Every customer's online score is its score in batch, bit for bit, alone and among others."""
    answer = service.score(model, [record(key) for key in scores[model]])
    assert [result.score for result in answer.results] == list(scores[model].values())
    assert {result.mode for result in answer.results} == {"joint"}
    for key in [*list(scores[model])[:5], UNKNOWN_TO_BUREAU, "c450"]:
        assert score_one(service, record(key), model=model).score == scores[model][key]


def test_reasons_and_the_base_sum_to_the_margin(service: Service, model: str) -> None:
    """Names are those of the parties' columns, and an unknown customer of a scorecard has a reason for it."""
    result = score_one(service, record("c200"), model=model, reasons=100)
    told = {(reason.party, reason.name): reason.contribution for reason in result.reasons}
    columns = {("bank", "age"), ("bank", "wage"), ("bureau", "debt"), ("bureau", "delays"),
               ("telco", "calls"), ("telco", "roams")}  # fmt: skip
    unknown = {("bank", "unknown to bureau"), ("bank", "unknown to telco")}
    assert set(told) <= columns | unknown
    margin = result.base + sum(told.values())
    assert 1 / (1 + np.exp(-margin)) == pytest.approx(result.score, rel=1e-6)
    largest = score_one(service, record("c200"), model=model, reasons=2).reasons
    assert largest == result.reasons[:2]
    stranger = score_one(service, record(UNKNOWN_TO_BUREAU), model=model, reasons=100)
    theirs = {reason.name: reason.contribution for reason in stranger.reasons}
    assert stranger.base == result.base
    assert (theirs["debt"], theirs["delays"]) == (0, 0)
    assert ("unknown to bureau" in theirs) == (model == "woe")


def test_a_partner_that_is_down_counts_as_its_means(world: Any, service: Service, model: str) -> None:
    """Marked partial; its columns contribute nothing, the others what they did."""
    whole = score_one(service, record("c200"), model=model, reasons=100)
    world.servers["telco"].stop()
    part = score_one(service, record("c200"), model=model, reasons=100)
    assert part.mode == "partial"
    before, after = (
        {(reason.party, reason.name): reason.contribution for reason in result.reasons}
        for result in (whole, part)
    )
    assert after == {at: 0 if at[0] == "telco" else value for at, value in before.items()}


def test_without_a_partner_the_banks_own_model_can_answer(world: Any, scores: Any, model: str) -> None:
    """The linear model of the bank's columns alone, on the scale of the joint one, with its own reasons."""
    publish(world.bank, model, fallback="bank_only")
    with Service(world.bank) as service:
        world.servers["telco"].stop()
        alone = score_one(service, record("c200"), model=model, reasons=10)
        assert alone.mode == "bank_only"
        assert {reason.party for reason in alone.reasons} == {"bank"}
        margin = alone.base + sum(reason.contribution for reason in alone.reasons)
        assert alone.score == pytest.approx(1 / (1 + np.exp(-margin)), rel=1e-6)
        assert score_one(service, record("c450"), model=model).score == scores[model]["c450"]
    world.servers["telco"].start()
    publish(world.bank, model)


def test_the_card_says_what_the_model_is(service: Service, model: str) -> None:
    """A linear model with its parameters under scikit-learn's names, and measures."""
    card = service.card(model)
    assert (card.algorithm, card.objective) == ("linear", "binary:logistic")
    assert card.summary.startswith("a linear model, converged after")
    assert card.params["C"] == 1.0
    assert card.parties["bureau"].columns_total == len(card.parties["bureau"].reasons) == 2
    assert set(card.parties["bank"].columns) <= {"age", "wage"}
    assert 0.5 < card.metrics["roc_auc"] <= 1


def test_every_view_is_scored_from_one_answer(world: Any, model: str) -> None:
    """Of the bank alone, with each partner, and together, on validation rows."""
    with LabelParty(world.bank) as label:
        known = label.evaluation_data(model)
    assert list(known.scores) == ["bank alone", "+ bureau", "+ telco", "together"]
    assert known.rows_are == "validation"
    assert len({scores.tobytes() for scores in known.scores.values()}) == 4


def test_a_partner_that_answers_otherwise_online_stops_publishing(
    world: Any, scores: Any, model: str
) -> None:
    """Partial scores that depend on how many rows are asked for are found out."""

    def lie(reply: Message) -> Message:
        if isinstance(reply, PartialScoresGiven) and 0 < len(reply.values) < 8 * 300:
            return PartialScoresGiven((np.frombuffer(reply.values) + 0.01).tobytes())
        return reply

    world.servers["telco"].lie = world.servers["bureau"].lie = lie
    with pytest.raises(StateError, match="different scores online and in batch"):
        publish(world.bank, model)


def test_an_exported_model_is_one_document(world: Any, model: str) -> None:
    """Where all parties allow it: every column with its coefficient, under its owner's name."""
    with LabelParty(world.bank) as label:
        whole = msgspec.json.decode(label.export(model), type=MergedModel)
    assert {term.party for term in whole.terms} == {"bank", "bureau", "telco"}
    assert all((term.bins is not None) == (model == "woe") for term in whole.terms)
    held = parts(world, model)
    merged = [coefficient for part in held.values() for coefficient in part.terms.coefficients]
    assert [term.coefficient for term in whole.terms] == merged
