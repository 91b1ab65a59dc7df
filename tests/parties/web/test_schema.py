"""The description of the API: what schemathesis makes of it is answered as it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from parties.web import documents, problems

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture
def api_schema(api: Any) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", api.app)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_a_server_error_or_undocumented(case: Any, api: Any) -> None:
    """Whatever is sent, good or bad: no 5xx, and status, type, headers and body are as described."""
    if case.path_parameters.get("model") and case.meta.generation.mode.is_positive:
        case.path_parameters["model"] = "m1"
    case.call_and_validate(checks=CHECKS, headers=api.headers)


def test_the_description_is_openapi_3_1_and_complete(api: Any) -> None:
    """Every route that answers JSON is described, every reference leads somewhere, and keys are required."""
    told = api.client.get("/openapi.json")
    assert told.json["openapi"].startswith("3.1.")
    assert set(told.json["paths"]) == {
        "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/{model}", "/v1/models/{model}/score"
    }  # fmt: skip
    references = set(re.findall(r'"#/components/schemas/(\w+)"', told.text))
    assert references == set(told.json["components"]["schemas"]) - {"ScoreQuery"}
    for path, item in told.json["paths"].items():
        for operation in item.values():
            assert ("security" in operation) == (path not in ("/healthz", "/readyz"))
            assert "500" in operation["responses"]


def test_every_kind_of_problem_has_an_example(api: Any) -> None:
    """Each kind that a route can answer with stands there with its status, title and type."""
    text = api.client.get("/openapi.json").json
    found = {}
    for item in text["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                for code, example in response["content"].get(problems.MEDIA_TYPE, {}).get("examples", {}).items():
                    assert example["value"]["status"] == int(status)
                    found[code] = example["value"]["type"]
    elsewhere = {"no_such_path", "method_not_allowed", "bad_http"}
    assert found == {code: problems.TYPE + code for code in problems.KINDS if code not in elsewhere}


def test_the_page_needs_nothing_from_another_host(api: Any) -> None:
    """All that the page names is here, and its policy lets the browser load nothing else."""
    page = api.client.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text
    for link in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        asset = api.client.get("/" + link)
        assert asset.status_code == 200, link
        assert len(asset.data) > 100
    assert json.loads(api.client.get("/openapi.json").data)["servers"] == [{"url": "/"}]
    assert api.client.get("/docs/../secret").status_code == 404
    assert documents.asset("../__init__.py") is None
