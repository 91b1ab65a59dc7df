"""The description of the API: what schemathesis makes of it is answered as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
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


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_answer_is_a_server_error_or_undocumented(api: Any, mode: GenerationMode) -> None:
    """Whatever is sent, good or bad: no 5xx, and status, type, headers and body are as described."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", api.app)
    called = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            _know_the_model(case, mode, api)
            case.call_and_validate(checks=CHECKS, headers=api.headers)
            called.add(case.operation.path)

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # what has no parameters cannot be called wrongly
    assert "/v1/models/{model}/score" in called


def _know_the_model(case: Any, mode: GenerationMode, api: Any) -> None:
    """Ask as a client does that knows a model, its key field, some customers and its columns."""
    wrong = {place for place, part in case.meta.components.items() if part.mode is GenerationMode.NEGATIVE}
    if case.path_parameters and ParameterLocation.PATH not in wrong:
        case.path_parameters["model"] = "m1"
    if mode is GenerationMode.POSITIVE and case.method == "POST":
        for number, record in enumerate(case.body["records"]):
            record["keys"] = {"customer_id": f"C{137 * number % 700:03d}"}
            values = list((record.get("features") or {}).values())
            if record.get("features") is not None:
                record["features"] = dict(zip(["age", "wage"], [*values, None, None], strict=False))


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
                for code, example in (
                    response["content"].get(problems.MEDIA_TYPE, {}).get("examples", {}).items()
                ):
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


def test_the_guide_lists_every_kind_of_problem_and_every_metric(api: Any) -> None:
    """docs/api.md has a row for each kind with its status, and one for each metric."""
    guide = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", guide, re.MULTILINE))
    assert rows == {code: str(kind.status) for code, kind in problems.KINDS.items()}
    exposed = set(re.findall(r"^# TYPE (\w+)", api.get("/metrics").text, re.MULTILINE))
    metrics = {name for name in exposed if not name.endswith("_created")}
    assert metrics == set(re.findall(r"^\| `(vfl_\w+)` \|", guide, re.MULTILINE))
