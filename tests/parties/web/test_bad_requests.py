"""Every bad request has an answer of its own that names the place, and no value gets into it or the log."""

from __future__ import annotations

import json
import logging
from typing import Any, NoReturn

import pytest

from parties.serving.service import Service

GOOD = {"keys": {"customer_id": "C100"}}


def body(record: str) -> bytes:
    return b'{"records": [' + record.encode() + b"]}"


def features(text: str) -> bytes:
    return body(f'{{"keys": {{"customer_id": "C100"}}, "features": {text}}}')


BAD = {
    "empty": (b" ", 400, "bad_json", None),
    "broken": (b'{"records": [', 400, "bad_json", None),
    "not UTF-8": (b'{"records": [{"keys": {"customer_id": "\xff"}}]}', 400, "bad_json", None),
    "NaN": (features('{"age": NaN, "wage": 1}'), 400, "bad_json", None),
    "Infinity": (features('{"age": -Infinity, "wage": 1}'), 400, "bad_json", None),
    "name twice": (body('{"keys": {"customer_id": "C100", "customer_id": "C101"}}'), 400, "bad_json", None),
    "name twice beside a colon": (
        body('{"keys": {"customer_id": "a:b", "customer_id": "c"}}'), 400, "bad_json", None
    ),
    "deep": (b"[" * 100_000, 422, "bad_request", None),
    "deep inside": (features('{"age": ' + "[" * 50_000), 422, "bad_request", "features"),
    "an array": (b"[]", 422, "bad_request", None),
    "no records": (b'{"records": []}', 422, "bad_request", "records"),
    "no keys": (body("{}"), 422, "bad_request", None),
    "unknown field": (body('{"keys": {"customer_id": "C100"}, "more": 1}'), 422, "bad_request", None),
    "number as key": (body('{"keys": {"customer_id": 100}}'), 422, "bad_request", "keys.customer_id"),
    "null as key": (body('{"keys": {"customer_id": null}}'), 422, "bad_request", "keys.customer_id"),
    "other key field": (body('{"keys": {"customer": "C100"}}'), 422, "bad_record", "keys.customer_id"),
    "empty key": (body('{"keys": {"customer_id": " "}}'), 422, "bad_key", None),
    "text as feature": (features('{"age": "41", "wage": 1}'), 422, "bad_request", "features.age"),
    "true as feature": (features('{"age": 1, "wage": true}'), 422, "bad_request", "features.wage"),
    "beyond float32": (features('{"age": 1e39, "wage": 1}'), 422, "bad_request", "features.age"),
    "beyond float64": (features('{"age": 1, "wage": 1e999}'), 422, "bad_request", "features.wage"),
    "endless number": (
        features('{"age": 1' + "0" * 5_000 + ', "wage": 1}'), 422, "bad_request", "features.age"
    ),
    "feature missing": (features('{"age": 1}'), 422, "bad_record", "features.wage"),
    "feature unknown": (features('{"age": 1, "wage": 1, "x": 1}'), 422, "bad_record", "features.x"),
    "10 MB": (b" " * 10_000_000 + features("null"), 413, "too_large", None),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "status", "kind", "field"), BAD.values(), ids=BAD)
def test_every_bad_body_has_its_own_answer(
    api: Any, sent: bytes, status: int, kind: str, field: str | None
) -> None:
    """Status, kind and field say what is wrong; the next good request is answered."""
    answer = api.score(data=sent)
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, answer.json["type"]) == (status, f"urn:vfl:problem:{kind}")
    assert answer.json.get("field") == field
    assert len(answer.data) < 1_000
    assert api.score([GOOD]).status_code == 200


@pytest.mark.parametrize(
    ("options", "status", "kind"),
    [
        ({"content_type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"query": "?reasons=51"}, 422, "bad_request"),
        ({"query": "?reasons=-1"}, 422, "bad_request"),
        ({"query": "?reasons=three"}, 422, "bad_request"),
        ({"query": "?reasons=1&reasons=2"}, 422, "bad_request"),
        ({"query": "?budget_ms=59999"}, 422, "bad_request"),
        ({"query": "?reason=3"}, 422, "bad_request"),
    ],
)
def test_every_bad_request_has_its_own_answer(
    api: Any, options: dict[str, str], status: int, kind: str
) -> None:
    """A good body does not make up for a wrong type or a parameter that is not known."""
    answer = api.score(data=json.dumps({"records": [GOOD]}), **options)
    assert (answer.status_code, answer.json["type"]) == (status, f"urn:vfl:problem:{kind}")


def test_a_compressed_body_and_one_without_length_are_refused(api: Any) -> None:
    """What is inside cannot be bounded before it is read."""
    packed = api.score(data=b"x", headers={**api.headers, "Content-Encoding": "gzip"})
    assert packed.status_code == 415
    endless = api.client.post(
        "/v1/models/m1/score", headers=api.headers, content_type="application/json",
        environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
    )  # fmt: skip
    assert (endless.status_code, endless.json["type"]) == (411, "urn:vfl:problem:length_required")


def test_unknown_paths_methods_and_models(api: Any) -> None:
    """404 and 405 are problem documents too, and 405 says which methods there are."""
    assert api.get("/v1/model").json["type"].endswith("no_such_path")
    assert api.get("/v1/models/nothing").json["type"].endswith("unknown_model")
    for method in ("GET", "DELETE", "OPTIONS", "TRACE"):
        answer = api.client.open("/v1/models/m1/score", method=method, headers=api.headers)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_more_records_than_allowed_are_refused(serving_api: Any) -> None:
    """The bound of [api] holds, and as many as it allows are scored."""
    with serving_api(max_records=3) as api:
        assert api.score([GOOD] * 3).status_code == 200
        answer = api.score([GOOD] * 4)
        assert (answer.status_code, answer.json["field"]) == (422, "records")


def test_a_feature_party_that_answers_garbage_is_a_failure_of_its_own(serving_api: Any, world: Any) -> None:
    """The score falls back and says so; it is no 5xx, and no wrong score passes for a joint one."""
    with serving_api() as api:
        world.servers["bureau"].garbage = True
        answer = api.score([GOOD])
        assert answer.status_code == 200
        (result,) = answer.json["results"]
        assert result["mode"] == "partial"
        assert result["parties"]["bureau"] in ("failed", "down")
        assert result["parties"]["telco"] == "answered"


def test_an_internal_error_tells_a_reference_and_the_log_has_it(
    serving_api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is a 500 without its text, which may hold data; the log line of that reference says where."""

    class BrokenService(Service):
        def score(self, *_: object, **__: object) -> NoReturn:
            raise KeyError("C100")

    with serving_api(BrokenService) as api:
        answer = api.score([GOOD])
    assert (answer.status_code, answer.json["type"]) == (500, "urn:vfl:problem:internal")
    assert answer.json["reference"] in caplog.text
    assert "KeyError" in caplog.text
    assert "C100" not in answer.text + caplog.text


def test_no_value_gets_into_logs_or_errors(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Planted keys, features and names are in no log line and no error, whatever was wrong."""
    caplog.set_level(logging.DEBUG)
    key, number, name = "PLANTEDKEY77", "8315372941", "PLANTEDNAME55"
    records = [
        f'{{"keys": {{"customer_id": "{key}"}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": "{number}", "wage": {number}}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": {number}}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": {number}e300, "wage": {number}}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "{name}": {number}}}',
        f'{{"keys": {{"{name}": {number}}}}}',
        f'{{"keys": {{"customer_id": "{key}", "customer_id": "{key}"}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": NaN, "wage": {number}}}}}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": {number}',
        f'{{"keys": {{"customer_id": "{key}"}}, "features": {{"age": [{number}]}}}}',
    ]
    errors = [api.score(data=body(record)) for record in records]
    assert all(answer.status_code >= 400 for answer in errors)
    scored = api.score(data=features(f'{{"age": {number}, "wage": null}}').replace(b"C100", key.encode()))
    assert scored.status_code == 200
    api.get(f"/v1/{key}")
    told = "".join(answer.text for answer in errors) + caplog.text
    assert "POST /v1/models/<model>/score 200" in caplog.text
    assert [planted for planted in (key, number, name, api.key) if planted in told] == []
