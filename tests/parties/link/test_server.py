"""The server itself: silent and greedy clients, and a stop that lets work finish."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from parties.config import Config
from parties.feature.app import create_app
from parties.keys import tls
from parties.link.server import PartyServer
from parties.link.transport import PATH, HttpsChannel
from vfl.psi import messages as m
from vfl.wire.session import LabelSession

OPENING = m.OpenAlignment("a1", "left", ["customer_id: strip upper"], 200)


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("https://").split(":")
    return host, int(port)


def context_of(client: Config, server: Config) -> ssl.SSLContext:
    pin = tls.fingerprint_of_file(tls.files_of(server).certificate)
    return tls.client_context(tls.files_of(client), pin)


def test_silent_connections_keep_nobody_waiting(
    bank: Config, bureau: Config, serve: Any, join: Any, agree: Any
) -> None:
    """More silent clients than there are threads do not stop an honest one from being served."""
    url = serve(bureau)
    channel = HttpsChannel(join(bank, bureau, url))
    digest = agree(channel, "align", alignment="a1", rows=200)
    with ExitStack() as stack:
        for number in range(2 * bureau.server.threads):
            client = stack.enter_context(socket.create_connection(address(url)))
            if number % 2:
                client.sendall(b"\x16")
        LabelSession(channel, "bureau", contract=digest).ask(OPENING, m.AlignmentOpened)


def test_an_unread_body_is_never_taken_in(make_party: Any, bureau: Config, serve: Any, join: Any) -> None:
    """A stranger that announces a terabyte gets its refusal, and the connection is closed."""
    stranger = make_party("stranger", "label")
    url = serve(bureau)
    context = tls.client_context(
        tls.files_of(stranger), tls.fingerprint_of_file(tls.files_of(bureau).certificate)
    )
    with socket.create_connection(address(url)) as raw, context.wrap_socket(raw) as secure:
        secure.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**40}\r\n\r\n".encode())
        answer = b""
        while chunk := secure.recv(2**16):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"unknown_peer" in answer


def test_endless_headers_are_refused(bank: Config, bureau: Config, serve: Any) -> None:
    """A request whose head goes on and on is answered 413 before it fills memory."""
    url = serve(bureau)
    context = tls.client_context(
        tls.files_of(bank), tls.fingerprint_of_file(tls.files_of(bureau).certificate)
    )
    with socket.create_connection(address(url)) as raw, context.wrap_socket(raw) as secure:
        secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
        assert secure.recv(2**16).startswith(b"HTTP/1.1 413")


def test_a_stop_lets_the_message_at_work_finish(
    bank: Config, bureau: Config, serving: Callable[..., Any], join: Any, agree: Any
) -> None:
    """A request that is being worked on when the server is stopped still gets its answer."""
    is_slow, started = threading.Event(), threading.Event()
    app = create_app(bureau)

    def slow(environ: Any, start_response: Any) -> Any:
        if is_slow.is_set():
            started.set()
            time.sleep(0.5)
        return app(environ, start_response)

    answers: list[m.AlignmentOpened] = []
    with serving(bureau, slow) as url:
        channel = HttpsChannel(join(bank, bureau, url))
        digest = agree(channel, "align", alignment="a1", rows=200)
        is_slow.set()
        asking = threading.Thread(
            target=lambda: answers.append(
                LabelSession(channel, "bureau", contract=digest).ask(OPENING, m.AlignmentOpened)
            )
        )
        asking.start()
        started.wait()
    asking.join()
    assert [type(answer) for answer in answers] == [m.AlignmentOpened]


def test_threads_are_bounded(bureau: Config) -> None:
    """The server never works on more messages at once than the configuration says."""
    server = PartyServer(bureau, app=None)
    assert (server.requests.min, server.requests.max) == (bureau.server.threads, bureau.server.threads)
