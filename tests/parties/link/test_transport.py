"""The channel against servers that are none of ours: what comes back is bounded and told plainly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.keys import tls
from parties.link.transport import CONTENT_TYPE, HttpsChannel
from vfl.errors import ConfigError, PeerUnreachable, TooLarge

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(party: Config, answer: Answer) -> Iterator[str]:
    """A bare TLS server with the party's certificate that answers each POST as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.server_context(tls.files_of(party)).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def send(kind: str, *chunks: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(chunk)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def test_an_answer_without_end_is_cut_off(bank: Config, bureau: Config, join: Any) -> None:
    """A peer cannot fill memory: reading stops at the limit, without a length announced."""
    with answering(bureau, send(CONTENT_TYPE, b"x" * 600, b"x" * 600)) as url:
        channel = HttpsChannel(join(bank, bureau, url), max_answer_bytes=1_000)
        with pytest.raises(TooLarge, match="more than 1000 bytes"):
            channel.exchange("bureau", b"ask")
        channel.close()


def test_traffic_counts_the_bytes_of_frames(bank: Config, bureau: Config, join: Any) -> None:
    """What was sent and received is counted by peer."""
    answer = send(CONTENT_TYPE, b"x" * 600)
    with answering(bureau, answer) as url, HttpsChannel(join(bank, bureau, url)) as channel:
        assert channel.exchange("bureau", b"ask") == b"x" * 600
        assert channel.exchange("bureau", b"ask") == b"x" * 600
        assert channel.traffic() == {"bureau": (6, 1_200)}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (send("text/html", b"<html>"), "answered HTTP 200 without a message; is a party's server there"),
        (hang_up, "the connection to bureau broke"),
    ],
)
def test_what_is_no_message_is_told(
    bank: Config, bureau: Config, join: Any, answer: Answer, told: str
) -> None:
    """Another kind of server, or one that hangs up, is an error with a remedy."""
    with answering(bureau, answer) as url:
        channel = HttpsChannel(join(bank, bureau, url))
        with pytest.raises(PeerUnreachable, match=told):
            channel.exchange("bureau", b"ask")
        channel.close()


@pytest.mark.parametrize(
    ("configured", "given"), [(1, None), (1_800, 0.2)], ids=["of the peer", "of the channel"]
)
def test_an_answer_that_does_not_come_is_given_up(
    bank: Config, bureau: Config, join: Any, configured: int, given: float | None
) -> None:
    """A peer that takes longer than its ``answer_seconds``, or the channel's instead, is told as such."""
    stop = threading.Event()
    with answering(bureau, lambda _: stop.wait() and None) as url:
        config = join(bank, bureau, url)
        patient = msgspec.structs.replace(config.peers["bureau"], answer_seconds=configured)
        channel = HttpsChannel(msgspec.structs.replace(config, peers={"bureau": patient}), given)
        with pytest.raises(PeerUnreachable, match="did not answer in time"):
            channel.exchange("bureau", b"ask")
        stop.set()
        channel.close()


def test_an_unknown_peer_is_a_mistake_of_ours(bank: Config) -> None:
    """A name without configuration sends nothing anywhere."""
    with pytest.raises(ConfigError, match="no peer nobody"):
        HttpsChannel(bank).exchange("nobody", b"ask")
