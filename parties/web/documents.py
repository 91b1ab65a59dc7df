"""The API's own description: OpenAPI 3.1 from the structs that read and write, and a page to try it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby
from typing import Any

import msgspec
from flask import Response
from flask_openapi3 import Info, OpenAPI, Tag
from flask_openapi3.models import Server
from msgspec import Struct

from parties.serving.schemas import Answer, ModelCard, Readiness
from parties.web import problems
from parties.web.problems import KINDS, Problem

SCHEMAS = "#/components/schemas/"
SECURITY = {"key": {"type": "http", "scheme": "bearer", "description": "A key of `vfl api-key create`."}}
AUTHENTICATED = ("no_key", "too_many_requests", "internal")
"""Problems of every route that needs a key."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Scoring API</title>
<link rel="icon" href="docs/images/swagger.svg">
<link rel="stylesheet" href="docs/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/js/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});
"""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but what this server gives; the style sheet of Swagger UI has pictures in itself."""

ASSETS = {
    "css/swagger-ui.css": "text/css; charset=utf-8",
    "js/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "images/swagger.svg": "image/svg+xml",
}
ASSET_SECONDS = 3_600


def new_app(title: str) -> OpenAPI:
    """Return an application that collects the description of its routes."""
    return OpenAPI(
        "parties",
        info=Info(title=title, version="1.0.0", description="Errors are problem details (RFC 9457)."),
        servers=[Server(url="/")],
        security_schemes=SECURITY,  # type: ignore[arg-type]
        doc_ui=False,
        # Requests are read by the structs, so nothing is added to what a route says of its responses; the
        # library adds a response of this status where there is none, and every route has one.
        validation_error_status=500,
    )


def describe(
    result: dict[int, Any],
    codes: Iterable[str],
    *,
    tag: str = "scoring",
    parameters: Iterable[dict[str, Any]] = (),
    body: type[Struct] | None = None,
) -> dict[str, Any]:
    """Return what the decorator of a route is told.

    Args:
        result: what a good answer of each status is: a struct, or a media type.
        codes: kinds of problems.
        tag: the heading it is under.
        parameters: of path and query.
        body: the form of the request's body.
    """
    responses: dict[int, Any] = {}
    for status, kind in result.items():
        description = "The server is well." if status < 400 else "Nothing can be served."
        description = (kind.__doc__ or "").split("\n", 1)[0] if isinstance(kind, type) else description
        responses[status] = {"description": description, "content": _content(kind)}
    for status, group in groupby(sorted(codes, key=_status), _status):
        responses[status] = _problems(status, list(group))
    options: dict[str, Any] = {"responses": responses, "tags": [Tag(name=tag)], "openapi_extensions": {}}
    if parameters:
        options["openapi_extensions"]["parameters"] = list(parameters)
    if body is not None:
        options["openapi_extensions"]["requestBody"] = {"required": True, "content": _content(body)}
    if "no_key" in codes:
        options["security"] = [{"key": []}]
    return options


def parameters(place: str, form: type[Struct]) -> list[dict[str, Any]]:
    """Return the fields of a struct as parameters of ``path`` or ``query``."""
    schema = msgspec.json.schema_components([form], ref_template=SCHEMAS + "{name}")[1][form.__name__]
    return [
        {
            "name": name,
            "in": place,
            "required": name in schema.get("required", []),
            "description": field.pop("description", ""),
            "schema": field,
        }
        for name, field in schema["properties"].items()
    ]


def document(app: OpenAPI, *forms: type[Struct]) -> bytes:
    """Return the description of all routes as JSON, once all are there.

    Args:
        forms: structs that bodies of requests are read by.
    """
    document = app.api_doc
    _, document["components"]["schemas"] = msgspec.json.schema_components(
        [Answer, ModelCard, ModelList, Readiness, Problem, *forms], ref_template=SCHEMAS + "{name}"
    )
    return msgspec.json.encode(document)


class ModelList(Struct, frozen=True):
    """The published models that the key is for."""

    models: list[ModelCard]


def asset(name: str) -> Response | None:
    """Return a file of the page, all of which are on this machine; None where there is none."""
    if name == "start.js":
        content, media_type = START.encode(), ASSETS["js/swagger-ui-bundle.js"]
    elif name in ASSETS:
        file = files("flask_openapi3_swagger") / "templates" / "swagger" / name
        content, media_type = file.read_bytes(), ASSETS[name]
    else:
        return None
    response = Response(content, content_type=media_type)
    response.headers["Cache-Control"] = f"max-age={ASSET_SECONDS}"
    return response


def _status(code: str) -> int:
    return KINDS[code].status


def _content(kind: type[Struct] | str) -> dict[str, Any]:
    if isinstance(kind, str):
        return {kind: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": SCHEMAS + kind.__name__}}}


def _problems(status: int, codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {"value": msgspec.to_builtins(problems.problem(code, "What to do, in a sentence."))}
        for code in codes
    }
    response: dict[str, Any] = {
        "description": "; ".join(KINDS[code].title for code in codes),
        "content": {
            problems.MEDIA_TYPE: {"schema": {"$ref": SCHEMAS + Problem.__name__}, "examples": examples}
        },
    }
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    if status == 429:
        response["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "required": True, "description": "seconds"}
        }
    return response
