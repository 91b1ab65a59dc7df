"""Errors as problem details (RFC 9457): a stable type for each kind, and no value of the request."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from flask import Response
from msgspec import Struct
from werkzeug.exceptions import HTTPException

from parties.serving.errors import BadRecord, ServiceError
from parties.serving.schemas import Unscored

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:vfl:problem:"

log = logging.getLogger("parties")


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no answer; ``type`` says what kind of problem it is and never changes.

    Attributes:
        record: position of the record that is wrong, from 0.
        field: what is wrong in it, such as ``features.age``; or the parameter of the query.
        reference: of an internal error: the line of the server's log about it has the same.
    """

    type: str
    title: str
    status: int
    detail: str
    record: int | None = None
    field: str | None = None
    reference: str | None = None


class Kind(NamedTuple):
    """A kind of problem: its status, and what it is in general."""

    status: int
    title: str


KINDS = {
    "bad_json": Kind(400, "The body is not JSON"),
    "bad_http": Kind(400, "The request is not well-formed"),
    "no_key": Kind(401, "No good API key"),
    "not_for_this_key": Kind(403, "The API key is not for this model"),
    "reasons_forbidden": Kind(403, "A feature party does not let its contributions be told"),
    "no_such_path": Kind(404, "There is nothing at this path"),
    "unknown_model": Kind(404, "No such model is published"),
    "unknown_customer": Kind(404, "The customer cannot be scored by key alone"),
    "method_not_allowed": Kind(405, "The path is for another method"),
    "not_aligned": Kind(409, "The customer is not aligned with the feature parties"),
    "length_required": Kind(411, "The length of the body is not given"),
    "too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body is not of a type that is read here"),
    "bad_request": Kind(422, "The request is not of the form that is needed"),
    "bad_record": Kind(422, "A record cannot be read"),
    "bad_key": Kind(422, "A record has no usable customer key"),
    "too_many_requests": Kind(429, "Too many requests"),
    "internal": Kind(500, "The server is at fault"),
    "not_ready": Kind(503, "The model cannot be served now"),
    "partners_absent": Kind(503, "Feature parties did not answer, and the model needs them"),
}
"""Every kind by its code, the last part of the type."""

_OF_STATUS = {
    400: "bad_http",
    404: "no_such_path",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class ApiError(Exception):
    """A request that ends with a problem.

    Args:
        code: of its kind.
        detail: a sentence on what to do, without any value of the request.
        record, field: the place.
        headers: to send along.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        record: int | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers or {}
        self.problem = problem(code, detail, record=record, field=field)


def problem(code: str, detail: str, **members: str | int | None) -> Problem:
    """Return the problem of a kind."""
    kind = KINDS[code]
    return Problem(type=TYPE + code, title=kind.title, status=kind.status, detail=detail, **members)  # type: ignore[arg-type]


def answer(error: Exception) -> Response:
    """Return the response that an error ends a request with."""
    headers: Mapping[str, str] = {}
    match error:
        case ApiError():
            document, headers = error.problem, error.headers
        case BadRecord():
            document = problem(error.code, str(error), record=error.record, field=error.field)
        case ServiceError() if error.code in KINDS:
            document = problem(error.code, str(error))
        case HTTPException() if error.code in _OF_STATUS:
            document = problem(_OF_STATUS[error.code], "see /openapi.json for what can be asked, and how")
            headers = {name: value for name, value in error.get_headers() if name == "Allow"}
        case _:
            document = _internal(error)
    return Response(msgspec.json.encode(document), document.status, headers, content_type=MEDIA_TYPE)


def unscored(result: Unscored) -> ApiError:
    """Return the error of a request none of whose records was scored: that of the first one."""
    return ApiError(result.code, result.detail, record=0)


def _internal(error: Exception) -> Problem:
    """Log where an unexpected error came up, but not its text, which may hold data; tell a reference only."""
    reference = secrets.token_hex(8)
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
    log.error("internal error %s: %s at %s", reference, type(error).__name__, " < ".join(reversed(places)))
    return problem("internal", "tell the operator the reference; the log has more", reference=reference)
