"""Frames over HTTPS: the label party's channel to its peers."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import NamedTuple

import httpx

from parties import tls
from parties.config import Config
from parties.settings import Peer
from parties.timeline import HEADER, peer_spans
from vfl.errors import ConfigError, PeerUnreachable, TooLarge
from vfl.trace import Span, is_recording, span
from vfl.wire.messages import MAX_FRAME_BYTES

PATH = "/v1/messages"
CONTENT_TYPE = "application/octet-stream"

CONNECT_SECONDS = 10.0

IDLE_SECONDS = 60.0
"""A connection idle for longer is not used again; the server keeps its end open for longer than this."""


class Traffic(NamedTuple):
    """Bytes of frames exchanged with one peer."""

    sent: int = 0
    received: int = 0


class HttpsChannel:
    """One keep-alive client for each peer, with this party's certificate and the peer's pinned.

    A message is sent once: only making the connection is tried again.

    Args:
        config: the party's configuration; ``answer_seconds`` of a peer is how long to wait for it.
        answer_seconds: how long to wait for any peer instead, where somebody waits for the answer.
    """

    def __init__(self, config: Config, answer_seconds: float | None = None) -> None:
        self._config = config
        self._answer_seconds = answer_seconds
        self._clients: dict[str, httpx.Client] = {}
        self._traffic: dict[str, Traffic] = {}
        self._spans: dict[str, list[Span]] = {}
        self._lock = threading.Lock()

    def exchange(self, peer: str, frame: bytes) -> bytes:
        """Return the peer's reply frame.

        Raises:
            ConfigError: no such peer, or the TLS files cannot be used.
            PeerUnreachable: no connection, no answer in time, a wrong certificate, or no frame came back.
            TooLarge: the answer exceeds ``MAX_FRAME_BYTES``.
        """
        client, url = self._client(peer)
        sent = time.perf_counter_ns()
        try:
            with span(f"ask {peer}"), client.stream("POST", url + PATH, content=frame) as response:
                answer = _read(peer, response)
                timing = response.headers.get(HEADER, "")
        except httpx.ConnectTimeout:
            raise PeerUnreachable(f"{peer} does not answer at {url}; is its server running?") from None
        except httpx.TimeoutException:
            raise PeerUnreachable(f"{peer} did not answer in time; look at its log, then try again") from None
        except httpx.TransportError as error:
            raise PeerUnreachable(_unreachable(peer, url, error)) from None
        with self._lock:
            before = self._traffic.get(peer, Traffic())
            self._traffic[peer] = Traffic(before.sent + len(frame), before.received + len(answer))
            if is_recording():
                told = peer_spans(timing, sent, time.perf_counter_ns())
                self._spans.setdefault(peer, []).extend(told)
        return answer

    def traffic(self) -> dict[str, Traffic]:
        """Return the bytes exchanged with each peer so far."""
        with self._lock:
            return dict(self._traffic)

    def spans(self) -> dict[str, list[Span]]:
        """Return the steps that peers told of while this process was recorded, on this party's clock."""
        with self._lock:
            return {peer: list(told) for peer, told in self._spans.items()}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def __enter__(self) -> HttpsChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _client(self, name: str) -> tuple[httpx.Client, str]:
        peer = self._config.peers.get(name)
        if peer is None or peer.url is None:
            raise ConfigError(f"no peer {name} with a url is configured; add it with `vfl party add-peer`")
        with self._lock:
            if name not in self._clients:
                self._clients[name] = self._connect(peer)
            return self._clients[name], peer.url

    def _connect(self, peer: Peer) -> httpx.Client:
        transport = httpx.HTTPTransport(
            verify=tls.client_context(tls.files_of(self._config), peer.fingerprint),
            retries=2,
            trust_env=False,
            limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
        )
        headers = {"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE, "Accept-Encoding": "identity"}
        seconds = self._answer_seconds or peer.answer_seconds
        timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        return httpx.Client(transport=transport, timeout=timeout, headers=headers, trust_env=False)


def _read(peer: str, response: httpx.Response) -> bytes:
    """Return the body of an answer, a refusal included; never take in more than a frame can be."""
    if response.headers.get("Content-Type") != CONTENT_TYPE:
        raise PeerUnreachable(
            f"{peer} answered HTTP {response.status_code} without a message; is a party's server there?"
        )
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_FRAME_BYTES:
            raise TooLarge(f"{peer} answered with more than {MAX_FRAME_BYTES} bytes")
    return bytes(body)


def _unreachable(peer: str, url: str, error: httpx.TransportError) -> str:
    """Return what went wrong on the way, with the most likely remedy."""
    reason = str(error)
    if "not the configured one" in reason:
        return f"{peer} showed another certificate than the configured one; compare fingerprints with them"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return f"{peer} showed a certificate of an unknown authority, or an expired one; check [tls] ca"
    if "alert" in reason.lower():
        return f"{peer} did not accept this party's certificate; check [tls] here and the authority there"
    if isinstance(error, httpx.ConnectError):
        return f"no connection to {peer} at {url}; is its server running, and the address right?"
    return f"the connection to {peer} broke; look at its log, then try again"
