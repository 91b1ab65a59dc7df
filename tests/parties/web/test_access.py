"""Who gets an answer: keys, the models they are for, and how often they may ask."""

from __future__ import annotations

from typing import Any

from parties.web.access import FAILURES
from tests.support.serving_world import until


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def kind_of(answer: Any) -> tuple[int, str]:
    if answer.status_code == 200:
        return 200, ""
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    return answer.status_code, answer.json["type"].rpartition(":")[2]


def test_every_route_but_health_and_documents_needs_a_key(api: Any) -> None:
    """A route that is added later needs a key too, unless it is listed as open."""
    paths = {str(rule).replace("<model>", "m1") for rule in api.app.url_map.iter_rules()}
    open_paths = {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/<path:name>",
        "/static/<path:filename>",
    }
    for path in paths - open_paths:
        answer = api.client.open(path, method="POST" if path.endswith("score") else "GET")
        assert kind_of(answer) == (401, "no_key")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_wrong_and_revoked_keys_are_refused(api: Any) -> None:
    """Neither another scheme nor a revoked key gets in."""
    key, text = api.keys.create("short", None)
    assert api.get("/v1/models", headers=bearer(text)).status_code == 200
    api.keys.revoke(key.id)
    until(lambda: kind_of(api.get("/v1/models", headers=bearer(text))) == (401, "no_key"), 2)
    for wrong in (f"Basic {api.key}", "Bearer", "Bearer vfl_x_y", api.key, f"Bearer {api.key}x"):
        assert kind_of(api.get("/v1/models", headers={"Authorization": wrong})) == (401, "no_key")


def test_a_key_cannot_tell_whether_a_model_outside_its_scope_exists(api: Any) -> None:
    """The answers about a model that exists and one that does not are the same, byte for byte."""
    _, text = api.keys.create("other", ["another"])
    answers = {api.get(f"/v1/models/{name}", headers=bearer(text)).data for name in ("m1", "nothing")}
    assert len(answers) == 1
    assert kind_of(api.get("/v1/models/m1", headers=bearer(text))) == (403, "not_for_this_key")
    assert kind_of(api.get("/v1/models/another", headers=bearer(text))) == (404, "unknown_model")
    assert kind_of(api.score([], headers=bearer(text))) == (403, "not_for_this_key")
    assert api.get("/v1/models", headers=bearer(text)).json == {"models": []}


def test_too_many_requests_of_a_key_are_refused(api: Any) -> None:
    """Over its rate a key gets 429 and is told when to come back; other keys are served on."""
    _, text = api.keys.create("slow", None, rate=2)
    answers = [api.get("/v1/models", headers=bearer(text)) for _ in range(6)]
    assert answers[0].headers["RateLimit-Policy"] == '"second";q=2;w=1'
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {kind_of(answer) for answer in refused} == {(429, "too_many_requests")}
    assert {int(answer.headers["Retry-After"]) for answer in refused} == {1}
    assert api.get("/v1/models").status_code == 200


def test_failures_are_limited_by_address_and_keep_no_good_key_out(serving_api: Any) -> None:
    """Guessing ends with 429 for the guesser's failures, never for a good key from the same address."""
    with serving_api() as api:
        answers = [api.client.get("/v1/models") for _ in range(FAILURES.amount + 1)]
        assert kind_of(answers[-2]) == (401, "no_key")
        assert kind_of(answers[-1]) == (429, "too_many_requests")
        assert int(answers[-1].headers["Retry-After"]) <= 120
        assert api.get("/v1/models").status_code == 200
