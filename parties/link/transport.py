"""Frames over HTTPS: the label party's channel to its peers, and the health check of a server."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import NamedTuple

import httpcore

from parties.config import Config
from parties.config.settings import Peer
from parties.keys import tls
from parties.link.timeline import HEADER, peer_spans
from vfl.errors import ConfigError, PeerUnreachable, TooLarge
from vfl.trace import Span, is_recording, span
from vfl.wire.message import MAX_FRAME_BYTES

PATH = "/v1/messages"
HEALTH_PATH = "/healthz"
HTTP_OK = 200
CONTENT_TYPE = "application/octet-stream"
HEADERS = [(b"Content-Type", b"application/octet-stream"), (b"Accept-Encoding", b"identity")]

CONNECT_SECONDS = 10.0

KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, option), value)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 6))
        if hasattr(socket, option)
    ),
]
"""A peer may work for minutes on a message; a machine that is silent for 45 s is given up."""

IDLE_SECONDS = 60.0
"""A connection idle for longer is not used again; the server keeps its end open for longer than this."""

MAX_CONNECTIONS = 100
"""Connections to one peer at most: one for each message that is under way."""


class Untrusted(PeerUnreachable):
    """A certificate is not accepted, here or there: trying again would not help."""


class NoConnection(PeerUnreachable):
    """Nobody answers at the peer's address."""


class Traffic(NamedTuple):
    """Bytes of frames exchanged with one peer."""

    sent: int = 0
    received: int = 0


class _Connections(NamedTuple):
    """Connections to one peer that are kept open, and what a request over one of them needs."""

    pool: httpcore.ConnectionPool
    url: httpcore.URL
    extensions: dict[str, dict[str, float]]


class HttpsChannel:
    """Keep-alive connections to each peer, with this party's certificate and the peer's pinned.

    A message is sent once: only making the connection is tried again.

    Args:
        config: the party's configuration; ``answer_seconds`` of a peer is how long to wait for it.
        answer_seconds: how long to wait for any peer instead, where somebody waits for the answer.
        max_answer_bytes: a longer answer is not read to its end.
    """

    def __init__(
        self,
        config: Config,
        answer_seconds: float | None = None,
        max_answer_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._config = config
        self._answer_seconds = answer_seconds
        self._max_answer_bytes = max_answer_bytes
        self._connections: dict[str, _Connections] = {}
        self._traffic: dict[str, Traffic] = {}
        self._spans: dict[str, list[Span]] = {}
        self._lock = threading.Lock()

    def exchange(self, peer: str, frame: bytes) -> bytes:
        """Return the peer's reply frame.

        Raises:
            ConfigError: no such peer, or the TLS files cannot be used.
            PeerUnreachable: no connection, no answer in time, a wrong certificate, or no frame came back.
            TooLarge: the answer exceeds the limit.
        """
        pool, url, extensions = self._to(peer)
        sent = time.perf_counter_ns()
        try:
            with (
                span(f"ask {peer}"),
                pool.stream("POST", url, headers=HEADERS, content=frame, extensions=extensions) as response,
            ):
                answer = _read(peer, response, self._max_answer_bytes)
                timing = _header(response, HEADER)
        except httpcore.ConnectTimeout:
            raise NoConnection(f"{peer} does not answer at {_base(url)}; is its server running?") from None
        except httpcore.TimeoutException:
            raise PeerUnreachable(f"{peer} did not answer in time; look at its log, then try again") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _unreachable(peer, url, error) from None
        with self._lock:
            before = self._traffic.get(peer, Traffic())
            self._traffic[peer] = Traffic(before.sent + len(frame), before.received + len(answer))
            if is_recording():
                steps = peer_spans(timing, sent, time.perf_counter_ns())
                self._spans.setdefault(peer, []).extend(steps)
        return answer

    def traffic(self) -> dict[str, Traffic]:
        """Return the bytes exchanged with each peer so far."""
        with self._lock:
            return dict(self._traffic)

    def spans(self) -> dict[str, list[Span]]:
        """Return the steps that peers reported while this process was recorded, on this party's clock."""
        with self._lock:
            return {peer: list(steps) for peer, steps in self._spans.items()}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for connections in self._connections.values():
                connections.pool.close()
            self._connections.clear()

    def __enter__(self) -> HttpsChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _to(self, name: str) -> _Connections:
        peer = self._config.peers.get(name)
        if peer is None or peer.url is None:
            raise ConfigError(f"no peer {name} with a url is configured; add it with `vfl party add-peer`")
        with self._lock:
            if name not in self._connections:
                self._connections[name] = self._connect(peer, peer.url)
            return self._connections[name]

    def _connect(self, peer: Peer, url: str) -> _Connections:
        pool = httpcore.ConnectionPool(
            ssl_context=tls.client_context(tls.files_of(self._config), *peer.fingerprints),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            retries=2,
            socket_options=KEEPALIVE,
        )
        answer = float(self._answer_seconds or peer.answer_seconds)
        seconds = {"connect": min(answer, CONNECT_SECONDS), "read": answer, "write": answer, "pool": answer}
        return _Connections(pool, httpcore.URL(url + PATH), {"timeout": seconds})


def is_healthy(config: Config, base: str, fingerprint: str, seconds: float) -> bool:
    """Return whether a party's server says that it is well; it tells whoever has a certificate.

    Args:
        base: its URL, without a path.
        fingerprint: of the one certificate that it may show.
        seconds: how long to wait for it.

    Raises:
        ConfigError: the TLS files cannot be used.
        PeerUnreachable: no connection, no answer in time, or a wrong certificate.
    """
    context = tls.client_context(tls.files_of(config), fingerprint)
    timeout = {"connect": seconds, "read": seconds, "write": seconds, "pool": seconds}
    try:
        with httpcore.ConnectionPool(ssl_context=context) as pool:
            response = pool.request("GET", base + HEALTH_PATH, extensions={"timeout": timeout})
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise NoConnection(f"no answer from {base} ({type(error).__name__})") from None
    return response.status == HTTP_OK


def _base(url: httpcore.URL) -> str:
    return bytes(url).decode().removesuffix(PATH)


def _header(response: httpcore.Response, name: str) -> str:
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == wanted), "")


def _read(peer: str, response: httpcore.Response, max_bytes: int) -> bytes:
    """Return the body of an answer, a refusal included; never take in more than a frame can be."""
    if _header(response, "Content-Type") != CONTENT_TYPE:
        raise PeerUnreachable(
            f"{peer} answered HTTP {response.status} without a message; is a party's server there?"
        )
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"{peer} answered with more than {max_bytes} bytes")
    return bytes(body)


def _unreachable(peer: str, url: httpcore.URL, error: Exception) -> PeerUnreachable:
    """Return an error that says what went wrong on the way, with the most likely remedy."""
    reason = str(error)
    if "not the configured one" in reason:
        return Untrusted(
            f"{peer} showed another certificate than the configured one; compare fingerprints with them"
        )
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return Untrusted(
            f"{peer} showed a certificate of an unknown authority, or an expired one; check [tls] ca"
        )
    if "alert" in reason.lower():
        return Untrusted(
            f"{peer} did not accept this party's certificate; check [tls] here and the authority there"
        )
    if isinstance(error, httpcore.ConnectError):
        return NoConnection(
            f"no connection to {peer} at {_base(url)}; is its server running, and the address right?"
        )
    return PeerUnreachable(f"the connection to {peer} broke; look at its log, then try again")
