"""The scoring service over real HTTPS with two feature parties; batch scoring is the judge."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from parties.config.settings import Serving
from parties.serving.errors import BadRecord, BadRequest, PeersAbsent, ReasonsForbidden, UnknownModel
from parties.serving.publish import publish, withdraw
from parties.serving.schemas import Observation, ScoreRecord, Unscored
from parties.serving.service import Service
from tests.support.serving_world import record, score_one, until
from vfl.algorithms.trees.loss import LOSSES
from vfl.errors import ConfigError
from vfl.evaluation.thresholds import Rule

UNKNOWN_TO_BUREAU, UNKNOWN_TO_TELCO, STRANGER = "c050", "c450", "c599"


@pytest.fixture(scope="module")
def published(_world: Any) -> Any:
    """The world with m1 published."""
    return publish(_world.bank, "m1", rule=Rule("fpr", 0.1))


@pytest.fixture
def service(world: Any, published: Any) -> Iterator[Service]:
    before = threading.active_count()
    with Service(world.bank) as made:
        yield made
    assert threading.active_count() <= before, "a closed service leaves no thread behind"


def test_scores_are_those_of_batch(world: Any, service: Service) -> None:
    """Every customer's online score is its score in batch, bit for bit, alone and among others."""
    answer = service.score("m1", [record(key) for key in world.scores])
    assert [result.score for result in answer.results] == list(world.scores.values())
    assert {result.mode for result in answer.results} == {"joint"}
    for key in [*list(world.scores)[:5], UNKNOWN_TO_BUREAU, UNKNOWN_TO_TELCO]:
        assert score_one(service, record(key)).score == world.scores[key]


def test_keys_are_read_by_the_recipe_and_given_back_as_they_came(world: Any, service: Service) -> None:
    """A key in other letters and with blanks is the same customer."""
    result = score_one(service, record(" C123 "))
    assert (result.score, result.keys) == (world.scores["c123"], {"customer_id": " C123 "})


def test_what_each_partner_did_is_told(service: Service) -> None:
    """An unknown customer is no reason to leave joint; nothing is missing that there is."""
    assert score_one(service, record("c200")).parties == {"bureau": "answered", "telco": "answered"}
    result = score_one(service, record(UNKNOWN_TO_BUREAU))
    assert (result.mode, result.parties) == ("joint", {"bureau": "unknown_customer", "telco": "answered"})


def test_a_customer_outside_the_population_is_scored_by_own_features_alone(service: Service) -> None:
    """Partners cannot be asked about a customer who was not aligned: partial, and told so."""
    result = score_one(service, record(STRANGER, age=0.5, wage=None))
    assert result.mode == "partial"
    assert result.parties == {"bureau": "not_aligned", "telco": "not_aligned"}
    nobody = score_one(service, record("c450", age=0.5, wage=None), budget_ms=0)
    assert nobody.parties["telco"] == "unknown_customer"


def test_features_of_the_request_replace_those_looked_up(world: Any, service: Service) -> None:
    """Given features count, and the partners' columns still take part."""
    own = pd.read_csv(world.bank.data.source).set_index("customer_id").loc["c200"]
    same = {name: None if np.isnan(own[name]) else float(own[name]) for name in ("age", "wage")}
    assert score_one(service, record("c200", **same)).score == world.scores["c200"]
    changed = score_one(service, record("c200", age=5.0, wage=None))
    assert changed.mode == "joint"
    assert changed.score != world.scores["c200"]


def test_columns_are_looked_up_as_they_are_now(world: Any, service: Service) -> None:
    """A population that is written again is served within a moment, without another publication."""
    source = world.bank.path(world.bank.data.source)
    before = source.read_bytes()
    table = pd.read_csv(source).set_index("customer_id")
    table.loc["c200", ["age", "wage"]] = [3.0, -3.0]
    renewed = score_one(service, record("c200", age=3.0, wage=-3.0)).score
    assert renewed != score_one(service, record("c200")).score
    try:
        table.to_csv(source)
        until(lambda: score_one(service, record("c200")).score == renewed)
    finally:
        source.write_bytes(before)
    until(lambda: score_one(service, record("c200")).score == pytest.approx(world.scores["c200"], abs=0))


def test_records_that_cannot_be_scored_say_why(service: Service) -> None:
    """Among records that can, a bad key and an unknown customer have a code of their own."""
    answer = service.score("m1", [record("c200"), record("  "), record("nobody"), record("\ud800")])
    found = [result.code if isinstance(result, Unscored) else "" for result in answer.results]
    assert found == ["", "bad_key", "unknown_customer", "bad_key"]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (ScoreRecord({}), "keys.customer_id"),
        (ScoreRecord({"customer_id": "c1", "phone": "1"}), "keys.phone"),
        (record("c1", age=1.0), "features.wage"),
        (record("c1", age=1.0, wage=1.0, debt=1.0), "features.debt"),
        (record("c1", age=float("nan"), wage=1.0), "features.age"),
        (record("c1", age=1.0, wage=float("-inf")), "features.wage"),
        (record("c1", age=1e39, wage=1.0), "features.age"),
        (record("c1", age=10**400, wage=1.0), "features.age"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_without_its_values(
    service: Service, bad: ScoreRecord, field: str
) -> None:
    """Position and field are told; never a value."""
    with pytest.raises(BadRecord) as caught:
        service.score("m1", [record("c200"), bad])
    assert (caught.value.record, caught.value.field) == (1, field)
    assert "c1" not in str(caught.value)


def test_requests_outside_their_limits_are_refused(service: Service) -> None:
    """No record, an unknown model, a negative or endless budget: each has its own answer."""
    with pytest.raises(BadRequest, match="0 records"):
        service.score("m1", [])
    with pytest.raises(BadRequest, match="budget_ms"):
        service.score("m1", [record("c200")], budget_ms=1e9)
    with pytest.raises(BadRequest, match="reasons"):
        service.score("m1", [record("c200")], reasons=-1)
    with pytest.raises(UnknownModel):
        service.score("m2", [record("c200")])


def test_a_budget_of_nothing_is_answered_at_once(world: Any, service: Service) -> None:
    """With 0 ms nobody is asked, and the answer says so."""
    result = score_one(service, record("c200"), budget_ms=0)
    assert (result.mode, result.parties) == ("partial", {"bureau": "late", "telco": "late"})
    assert result.score != world.scores["c200"]


def test_decisions_follow_the_threshold(service: Service, published: Any) -> None:
    """A score at or above the threshold is an alert."""
    answer = service.score("m1", [record(f"c{n:03d}") for n in range(500)])
    assert answer.threshold == published.threshold
    assert {result.decision for result in answer.results} == {"alert", "pass"}
    for result in answer.results:
        assert (result.decision == "alert") == (result.score >= answer.threshold.joint)


def test_reasons_and_the_base_sum_to_the_margin(service: Service) -> None:
    """All reasons together explain a score; fewer are the largest of them."""
    result = score_one(service, record("c200"), reasons=100)
    names = {(reason.party, reason.name) for reason in result.reasons}
    assert names == {("bank", "age"), ("bank", "wage"), ("bureau", "debt"), ("bureau", "delays"),
                     ("telco", "calls"), ("telco", "roams")}  # fmt: skip
    margin = np.float32(result.base + sum(reason.contribution for reason in result.reasons))
    assert LOSSES["binary:logistic"].transform(np.array([margin]))[0] == pytest.approx(result.score, abs=1e-6)
    assert score_one(service, record("c200"), reasons=2).reasons == result.reasons[:2]


def test_the_card_says_what_the_model_is(service: Service, published: Any) -> None:
    """Parties with their columns, rows, measures and population."""
    (card,) = service.models()
    assert card == service.card("m1")
    assert card.parties["bank"].columns == ["age", "wage"]
    assert (card.parties["bureau"].columns, card.parties["bureau"].columns_total) == ([], 2)
    assert card.population.known == {"bureau": 400, "telco": 400}
    assert card.metrics_on == "validation"
    assert 0.5 < card.metrics["roc_auc"] <= 1
    assert published.parity.rows == 500
    assert published.parity.unknown == {"bureau": 100, "telco": 100}


def test_requests_are_observed(service: Service) -> None:
    """The hook for metrics hears of rows, modes and partners."""
    heard: list[Observation] = []
    service.observe = heard.append
    service.score("m1", [record("c200"), record("nobody")])
    assert (heard[0].rows, heard[0].modes) == (2, {"joint": 1})
    assert {name: seen.status for name, seen in heard[0].peers.items()} == {
        "bureau": "answered", "telco": "answered"
    }  # fmt: skip


def test_concurrent_requests_get_their_own_answers(world: Any, service: Service) -> None:
    """Many threads with requests of many sizes: each answer is that of its own customers."""
    keys = list(world.scores)

    def ask(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        asked = rng.choice(keys, rng.integers(1, 40)).tolist()
        results = service.score("m1", [record(key) for key in asked]).results
        return [result.score for result in results] == [world.scores[key] for key in asked]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def test_a_slow_partner_costs_its_budget_until_the_breaker_opens(world: Any, service: Service) -> None:
    """Late answers are let go of; then nobody waits; once it is quick again, the workers notice."""
    world.servers["telco"].dawdle = 0.6
    began = time.monotonic()
    result = score_one(service, record("c200"), budget_ms=100)
    assert time.monotonic() - began < 0.5
    assert (result.mode, result.parties) == ("partial", {"bureau": "answered", "telco": "late"})
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: score_one(service, record("c200")), range(6)))
    until(lambda: service.ready().partners == {"bureau": "answering", "telco": "slow"})
    assert score_one(service, record("c200")).parties["telco"] == "down"
    world.servers["telco"].dawdle = 0.0
    until(lambda: service.ready().partners["telco"] == "answering")
    assert score_one(service, record("c200")).score == world.scores["c200"]


def test_an_answer_that_is_none_counts_as_failed(world: Any, service: Service) -> None:
    """Garbage is never taken for directions."""
    world.servers["bureau"].garbage = True
    result = score_one(service, record("c200"))
    assert (result.mode, result.parties["bureau"]) == ("partial", "failed")
    world.servers["bureau"].garbage = False
    until(lambda: service.ready().partners["bureau"] == "answering")
    assert score_one(service, record("c200")).score == world.scores["c200"]


def test_a_partner_that_restarts_under_load_is_done_without_and_comes_back(
    world: Any, service: Service
) -> None:
    """No request fails; every joint score is right, every other one is marked; joint ones come back."""
    keys, stop = list(world.scores)[100:400], threading.Event()
    found: list[tuple[bool, str]] = []

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not stop.is_set():
            key = str(rng.choice(keys))
            result = score_one(service, record(key))
            found.append((result.score == world.scores[key], result.mode))

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, seed) for seed in range(4)]
        try:
            until(lambda: len(found) > 50)
            world.servers["telco"].stop()
            # A worker may still wait on a connection that the server, in this process, has not let go of.
            until(lambda: service.ready().partners["telco"] in ("down", "slow"))
            until(lambda: found[-1][1] == "partial")
            world.servers["telco"].start()
            until(lambda: service.ready().partners["telco"] == "answering")
            after = len(found)
            until(lambda: len(found) > after + 50)
        finally:
            stop.set()
        for asked in asking:
            asked.result()
    assert all(right for right, mode in found if mode == "joint")
    assert {mode for _, mode in found} == {"joint", "partial"}
    assert {mode for _, mode in found[-20:]} == {"joint"}


def test_a_service_can_start_while_a_partner_is_down(world: Any, published: Any) -> None:
    """It answers without, tells so, and takes the partner up when it is there."""
    world.servers["bureau"].stop()
    with Service(world.bank) as service:
        result = score_one(service, record("c200"))
        assert (result.mode, result.parties) == ("partial", {"bureau": "down", "telco": "answered"})
        assert score_one(service, record("c200"), reasons=1).reasons
        world.servers["bureau"].start()
        until(lambda: score_one(service, record("c200")).mode == "joint")


def test_publications_come_and_go_while_requests_are_answered(world: Any, service: Service) -> None:
    """A new one is noticed without a restart, and a withdrawn model disappears."""
    number = service.card("m1").publication
    stop, failures = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            result = score_one(service, record("c200"))
            if (result.score, result.mode) != (world.scores["c200"], "joint"):
                failures.append(result)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            publish(world.bank, "m1", rule=Rule("score", 0.25))
            until(lambda: service.card("m1").publication == number + 1)
            assert service.score("m1", [record("c200")]).threshold.joint == 0.25
        finally:
            stop.set()
        asking.result()
    assert not failures
    withdraw(world.bank, "m1")
    until(lambda: not service.ready().models)
    with pytest.raises(UnknownModel):
        service.score("m1", [record("c200")])
    publish(world.bank, "m1")
    until(lambda: service.ready().models == ["m1"])


def test_without_a_partner_the_banks_own_model_can_answer(world: Any) -> None:
    """Published so, a customer that a partner does not answer for gets the bank-only score and reasons."""
    publication = publish(world.bank, "m1", fallback="bank_only")
    with Service(world.bank) as service:
        world.servers["telco"].stop()
        answer = service.score("m1", [record("c200"), record(UNKNOWN_TO_TELCO)], reasons=10)
        alone, joint = answer.results
        assert (joint.mode, joint.score) == ("joint", world.scores[UNKNOWN_TO_TELCO])
        assert alone.mode == "bank_only"
        assert (alone.decision == "alert") == (alone.score >= publication.threshold.bank_only)
        assert {reason.party for reason in alone.reasons} == {"bank"}
        margin = np.float32(alone.base + sum(reason.contribution for reason in alone.reasons))
        expected = LOSSES["binary:logistic"].transform(np.array([margin]))[0]
        assert alone.score == pytest.approx(expected, abs=1e-6)


def test_without_a_partner_scores_can_be_refused(world: Any) -> None:
    """Published so, a request that a partner does not answer gets no score."""
    publish(world.bank, "m1", fallback="refuse")
    with Service(world.bank) as service:
        stranger = record(STRANGER, age=1.0, wage=1.0)
        (unscored,) = service.score("m1", [stranger]).results
        assert unscored.code == "not_aligned"
        world.servers["telco"].stop()
        with pytest.raises(PeersAbsent, match="telco"):
            service.score("m1", [record("c200")])
        (known,) = service.score("m1", [record(UNKNOWN_TO_TELCO)]).results
        assert known.mode == "joint"


def test_a_partner_can_forbid_reasons(world: Any) -> None:
    """Then asking for reasons is refused by name, and scores are given all the same."""
    publish(world.bank, "m1")
    with Service(world.bank) as service:
        deployment = service._deployments["m1"]
        deployment.peers["bureau"].reasons = []
        with pytest.raises(ReasonsForbidden, match="bureau"):
            service.score("m1", [record("c200")], reasons=3)
        assert score_one(service, record("c200")).score == world.scores["c200"]


def test_a_feature_party_does_not_score(world: Any) -> None:
    """The service is the label party's."""
    with pytest.raises(ConfigError, match="the label party scores"):
        Service(world.servers["telco"].party)


def test_budgets_below_those_of_the_service_do_not_count_against_a_partner(world: Any) -> None:
    """A client in a hurry cannot make the service give a partner up."""
    publish(world.bank, "m1")
    patient = msgspec.structs.replace(world.bank, serving=Serving(budget_ms=2_000, failures=2))
    with Service(patient) as service:
        world.servers["telco"].dawdle = 0.2
        for _ in range(4):
            assert score_one(service, record("c200"), budget_ms=20).parties["telco"] == "late"
        assert service.ready().partners["telco"] == "answering"
