"""The scoring API: the routes of a label party's Flask application."""

from __future__ import annotations

import logging
import time
from typing import Annotated, Any

import msgspec
from flask import Response, g, request
from flask_openapi3 import OpenAPI
from msgspec import Meta, Struct

from parties.config import Config
from parties.link.metrics import Own
from parties.serving.schemas import Answer, ModelCard, Readiness, Scored, Unscored
from parties.serving.service import Service
from parties.storage import database
from parties.telemetry.logs import event
from parties.web import documents, problems
from parties.web.access import Access, check_scope
from parties.web.api_keys import ApiKeys
from parties.web.api_metrics import MEDIA_TYPE, Metrics
from parties.web.bodies import Reader
from parties.web.documents import AUTHENTICATED, ModelList, describe
from parties.web.problems import ApiError
from vfl.wire.message import Identifier

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
MAX_REASONS = 50
MAX_BUDGET_MS = 60_000
OPEN = {"health", "readiness", "openapi", "page", "asset"}
"""Routes that need no key: none tells anything of models or customers."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ModelPath(Struct):
    model: Annotated[Identifier, Meta(description="Name of a published model.")]


class ScoreQuery(Struct, forbid_unknown_fields=True):
    reasons: Annotated[
        int, Meta(ge=0, le=MAX_REASONS, description="How many reasons to give for each score.")
    ] = 0
    budget_ms: (
        Annotated[
            int,
            Meta(ge=0, le=MAX_BUDGET_MS, description="How long to wait for feature parties; 0: not at all."),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


def create_api(config: Config, service: Service) -> OpenAPI:
    """Return the application of a label party.

    Args:
        service: answers requests; its metrics hook is taken.

    Raises:
        ConfigError: the database cannot be opened.
    """
    app = documents.new_app(f"Scoring API of {config.party.name}")
    app.config["MAX_CONTENT_LENGTH"] = config.api.max_body_mb * 10**6
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    metrics = Metrics(service)
    metrics.registry.register(Own(config))
    service.observe = metrics.observe
    app.extensions["vfl"] = metrics
    _guard(app, Access(ApiKeys(database.connect(config))), metrics)
    reader = Reader(config.api.max_records)
    _add_scoring(app, config, service, reader)
    _add_operations(app, service, metrics)
    _add_documents(app, documents.document(app, reader.form))
    return app


def _guard(app: OpenAPI, access: Access, metrics: Metrics) -> None:
    """What happens before and after every request."""

    @app.before_request
    def check() -> None:
        g.began, g.key = time.perf_counter(), None
        if request.endpoint is None or request.endpoint in OPEN:
            return
        key = access.authenticate(request.headers.get("Authorization"), request.remote_addr or "")
        g.key = key
        access.count(key)
        if request.view_args:
            g.model = request.view_args["model"]
            check_scope(key, g.model)

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if g.key is not None:
            response.headers.update(access.headers(g.key))
        route = request.url_rule.rule if request.url_rule else "-"
        metrics.request(route, response.status_code)
        took = 1000 * (time.perf_counter() - g.began)
        method = request.method if request.method in METHODS else "-"
        key = g.key.id if g.key else "-"
        text = f"{method} {route} {response.status_code} key {key}"
        event(logging.INFO, "request", text, outcome=str(response.status_code), ms=took)
        return response

    app.register_error_handler(Exception, problems.answer)


def _add_scoring(app: OpenAPI, config: Config, service: Service, reader: Reader) -> None:
    """Routes about models."""

    @app.get("/v1/models", summary="List the published models", **describe({200: ModelList}, AUTHENTICATED))
    def models() -> Response:
        return _json(ModelList([card for card in service.models() if g.key.allows(card.model)]))

    named = documents.parameters("path", ModelPath)
    codes = (*AUTHENTICATED, "not_for_this_key", "unknown_model", "not_ready")

    @app.get(
        "/v1/models/<model>",
        summary="Tell about a model",
        **describe({200: ModelCard}, codes, parameters=named),
    )
    def model_card() -> Response:
        return _json(service.card(g.model))

    elsewhere = ("no_such_path", "method_not_allowed", "bad_http")
    every = [code for code in problems.KINDS if code not in elsewhere]

    @app.post(
        "/v1/models/<model>/score",
        summary="Score customers",
        **describe(
            {200: Answer},
            every,
            parameters=[*named, *documents.parameters("query", ScoreQuery)],
            body=reader.form,
        ),
    )
    def score() -> Response:
        query = _query()
        names = service.field_names(g.model)
        records = reader.read(_body(config.api.max_body_mb), names)
        budget = None if query.budget_ms is msgspec.UNSET else query.budget_ms
        answer = service.score(g.model, records, budget_ms=budget, reasons=query.reasons)
        first = answer.results[0]
        if isinstance(first, Unscored) and not any(isinstance(one, Scored) for one in answer.results):
            raise problems.unscored(first)
        return _json(answer)


def _add_operations(app: OpenAPI, service: Service, metrics: Metrics) -> None:
    """Routes for those who run the server."""

    @app.get(
        "/healthz",
        summary="Whether the server lives",
        **describe({200: TEXT}, ["internal"], tag="operations"),
    )
    def health() -> Response:
        return Response("ok\n", content_type=TEXT)

    @app.get(
        "/readyz",
        summary="Whether a model can be served, and which feature parties answer",
        **describe({200: Readiness, 503: Readiness}, ["internal"], tag="operations"),
    )
    def readiness() -> Response:
        state = service.ready()
        return _json(state, 200 if state.ready else 503)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        **describe({200: MEDIA_TYPE}, AUTHENTICATED, tag="operations"),
    )
    def prometheus() -> Response:
        return Response(metrics.expose(), content_type=MEDIA_TYPE)


def _add_documents(app: OpenAPI, document: bytes) -> None:
    """The description of the API, and the page to try it."""

    @app.route("/openapi.json")
    def openapi() -> Response:
        return Response(document, content_type=JSON)

    @app.route("/docs")
    def page() -> Response:
        response = Response(documents.PAGE, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = documents.PAGE_POLICY
        return response

    @app.route("/docs/<path:name>")
    def asset(name: str) -> Response:
        response = documents.asset(name)
        if response is None:
            raise ApiError("no_such_path", "see /docs")
        return response


def _query() -> ScoreQuery:
    pairs = list(request.args.items(multi=True))
    if len(dict(pairs)) != len(pairs):
        raise ApiError("bad_request", "a parameter is given twice; give each once")
    try:
        return msgspec.convert(dict(pairs), ScoreQuery, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        if "unknown field" in reason:
            reason = f"known parameters are {', '.join(ScoreQuery.__struct_fields__)}"
        field = path.rstrip("`") or None
        raise ApiError("bad_request", f"{field or 'query'}: {reason.lower()}", field=field) from None


def _body(max_mb: int) -> bytes:
    if request.mimetype != JSON or request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiError("unsupported_media_type", f"send the body as {JSON}, not compressed")
    if request.content_length is None:
        raise ApiError("length_required", "send the header Content-Length, and the body in one piece")
    if request.content_length > max_mb * 10**6:
        raise ApiError("too_large", f"a body has at most {max_mb} MB; send fewer records at a time")
    return request.get_data(cache=False)


def _json(result: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(result), status, content_type=JSON)
