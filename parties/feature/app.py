"""The Flask application of a feature party: one endpoint for messages, one for health."""

from __future__ import annotations

import time

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from parties.config import Config
from parties.config.files import remove_abandoned
from parties.contracts import rules
from parties.feature.dispatcher import Dispatcher, MakeWorker
from parties.feature.workers import worker_for
from parties.keys import tls
from parties.ledger.entries import Ledger
from parties.link.metrics import Own, PartyMetrics
from parties.link.timeline import HEADER, server_timing
from parties.link.transport import CONTENT_TYPE, PATH
from parties.storage import database
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from vfl.errors import MalformedMessage, TooLarge
from vfl.trace import record_thread
from vfl.wire.message import MAX_FRAME_BYTES


def create_app(
    config: Config,
    metrics: PartyMetrics | None = None,
    clock: Clock = SYSTEM_CLOCK,
    make_worker: MakeWorker = worker_for,
) -> Flask:
    """Return the application; jobs that are open in the database are marked interrupted.

    Args:
        metrics: counts messages, and reports this party and its open jobs.
        clock: the time that the expiry of contracts is compared with.
        make_worker: makes the worker of a job.

    Raises:
        ConfigError: the database cannot be opened.
    """
    app = Flask("parties")
    app.config["MAX_CONTENT_LENGTH"] = MAX_FRAME_BYTES
    engine = database.connect(config)
    remove_abandoned(config.path(config.store.directory))
    metrics = metrics or PartyMetrics()
    dispatcher = Dispatcher(config, engine, Ledger(engine), metrics.observe, clock, make_worker)
    metrics.registry.register(Own(config, dispatcher.jobs.open_by_peer))

    @app.post(PATH)
    def messages() -> Response:
        began = time.perf_counter_ns()
        with record_thread() as recording:
            status, frame = dispatcher.receive(_fingerprint(), _body)
        response = Response(frame, status, content_type=CONTENT_TYPE)
        if rules.shows_timing(config, _fingerprint()):
            response.headers[HEADER] = server_timing(recording.spans, began, time.perf_counter_ns())
        return response

    @app.get("/healthz")
    def health() -> Response:
        return Response("ok\n", content_type="text/plain")

    return app


def _fingerprint() -> str:
    """Return the fingerprint of the certificate that the handshake has checked, ``""`` without one."""
    certificate = request.environ.get("SSL_CLIENT_CERT")
    return tls.fingerprint_of_pem(certificate) if certificate else ""


def _body() -> bytes:
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLarge(f"a message exceeds {MAX_FRAME_BYTES} bytes; send smaller chunks") from None
    except (BadRequest, OSError):
        raise MalformedMessage("the message broke off before its announced length") from None
