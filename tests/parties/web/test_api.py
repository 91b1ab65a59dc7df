"""What the scoring API answers: the service's scores, one by one or many at once."""

from __future__ import annotations

import math
from typing import Any

import pytest


def test_scores_over_http_are_those_of_batch(api: Any) -> None:
    """Every customer in one request: the same float32 as in batch, in the order of the records."""
    answer = api.score([{"keys": {"customer_id": key}} for key in api.scores])
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    results = answer.json["results"]
    assert [result["score"] for result in results] == list(api.scores.values())
    assert [result["keys"]["customer_id"] for result in results] == list(api.scores)
    threshold = answer.json["threshold"]["joint"]
    assert {result["decision"] == "alert" for result in results if result["score"] >= threshold} == {True}
    assert {result["decision"] == "pass" for result in results if result["score"] < threshold} == {True}


def test_reasons_sum_to_the_score(api: Any) -> None:
    """All contributions and the base are the margin of the score, the largest first."""
    key = next(iter(api.scores))
    result = api.score([{"keys": {"customer_id": key}}], query="?reasons=50").json["results"][0]
    contributions = [reason["contribution"] for reason in result["reasons"]]
    assert [abs(value) for value in contributions] == sorted(map(abs, contributions), reverse=True)
    margin = result["base"] + sum(contributions)
    assert 1 / (1 + math.exp(-margin)) == pytest.approx(result["score"], abs=1e-5)
    three = api.score([{"keys": {"customer_id": key}}], query="?reasons=3").json["results"][0]["reasons"]
    assert three == result["reasons"][:3]


def test_features_may_come_with_the_request(api: Any) -> None:
    """A customer nobody knows is scored from the features given, and the answer says who did not know it."""
    record = {"keys": {"customer_id": "NEWCOMER"}, "features": {"age": 0.5, "wage": None}}
    result = api.score([record]).json["results"][0]
    assert result["outcome"] == "scored"
    assert "answered" not in result["parties"].values()


def test_without_a_budget_nobody_is_waited_for(api: Any) -> None:
    """A budget of 0 gives a score that does not pass for a joint one."""
    key = next(iter(api.scores))
    result = api.score([{"keys": {"customer_id": key}}], query="?budget_ms=0").json["results"][0]
    assert result["mode"] != "joint"


def test_a_record_without_a_score_does_not_spoil_the_others(api: Any) -> None:
    """Among good records an unknown customer has an entry that says so; alone it is a 404."""
    known, unknown = next(iter(api.scores)), {"keys": {"customer_id": "NOBODY"}}
    results = api.score([unknown, {"keys": {"customer_id": known}}]).json["results"]
    assert [result["outcome"] for result in results] == ["unscored", "scored"]
    assert results[0]["code"] == "unknown_customer"
    alone = api.score([unknown])
    assert (alone.status_code, alone.json["record"]) == (404, 0)
    assert alone.json["type"] == "urn:vfl:problem:unknown_customer"


def test_the_models_are_told(api: Any) -> None:
    """List and card tell the same, and no threshold or column is missing from the card."""
    (card,) = api.get("/v1/models").json["models"]
    assert card == api.get("/v1/models/m1").json
    assert set(card["parties"]) == {"bank", "bureau", "telco"}
    assert card["parties"]["bank"]["columns"] == ["age", "wage"]
    assert card["threshold"]["rule"] == "fpr=0.01"


def test_health_and_readiness_need_no_key(api: Any) -> None:
    """Whoever watches the server learns that it lives, which models it serves and which partners answer."""
    assert api.client.get("/healthz").text == "ok\n"
    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json["models"]) == (200, ["m1"])
    assert set(ready.json["partners"]) == {"bureau", "telco"}


def test_responses_are_not_kept_or_framed(api: Any) -> None:
    """Every response, errors included, carries the headers that browsers and proxies heed."""
    for answer in (api.get("/v1/models"), api.client.get("/v1/models"), api.client.get("/nowhere")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_metrics_count_requests_rows_and_partners(serving_api: Any) -> None:
    """Prometheus' own parser reads the counts of what was asked; a second application starts at 0."""
    parser = pytest.importorskip("prometheus_client.parser")
    with serving_api() as api:
        customers = [{"keys": {"customer_id": key}} for key in list(api.scores)[100:105]]
        api.score(customers)
        api.score([])
        answer = api.get("/metrics")
        samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in parser.text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    route = "/v1/models/<model>/score"
    assert samples["vfl_requests_total", route, "200"] == samples["vfl_requests_total", route, "422"] == 1
    assert samples["vfl_rows_scored_total", "joint", "m1"] == 5
    assert samples["vfl_score_seconds_count", "joint", "m1"] == 1
    assert samples["vfl_partner_answers_total", "answered", "bureau"] == 1
    assert samples["vfl_partner_seconds_count", "telco"] == 1
    assert samples["vfl_partner_state", "answering", "bureau"] == 1
    assert samples["vfl_publication", "m1"] >= 1
    with serving_api() as other:
        assert "vfl_rows_scored_total{" not in other.get("/metrics").text
