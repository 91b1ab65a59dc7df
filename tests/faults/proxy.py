"""Faults on the way between two parties: of connections, by a TCP proxy, and of frames, by a channel."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal

import msgspec

from parties.link.transport import HttpsChannel
from vfl.errors import PeerUnreachable
from vfl.jobs import PROTOCOL
from vfl.trace import Span
from vfl.wire.codec import encode

BLOCK = 2**14
Address = tuple[str, int]
FrameFault = Literal["none", "lost", "answer lost", "twice", "late again", "early"]


class Proxy:
    """Passes TLS connections on as they are, until it is told to do them harm.

    Args:
        target: host and port of the server.

    Attributes:
        delay: seconds that every block of bytes waits, each way.
        twice: whether every new connection's bytes also go to the server over a second one.
        passed: bytes passed on so far, both ways.
        breaks: bytes after which a connection is closed; used up by the first one that has passed so many.
    """

    def __init__(self, target: Address) -> None:
        self.target = target
        self.delay, self.twice = 0.0, False
        self.breaks: int | None = None
        self.broken = 0
        self.passed = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flowing, self._refusing, self._closed = threading.Event(), False, False
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return "https://{}:{}".format(*self._listener.getsockname())

    def cut(self) -> None:
        """Break every connection, and every new one, until `mend`."""
        self._refusing = True
        self._break_all()

    def freeze(self) -> None:
        """Let nothing through until `mend`, and tell nobody: what a cable does that is pulled."""
        self._flowing.clear()

    def mend(self) -> None:
        self._refusing = False
        self._flowing.set()

    def cut_for(self, seconds: float) -> None:
        """Cut now, mend later; returns at once."""
        self.cut()
        threading.Timer(seconds, self.mend).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self.mend()
        self._listener.close()
        self._break_all()

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError):
                client, _ = self._listener.accept()
                if self._refusing:
                    client.close()
                else:
                    threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        double = socket.create_connection(self.target) if self.twice else None
        ends = {client, server} | ({double} if double else set())
        with self._lock:
            self._open |= ends
        back = threading.Thread(target=self._pass, args=(server, client, None), daemon=True)
        back.start()
        self._pass(client, server, double)
        back.join()
        for end in ends:
            end.close()
        with self._lock:
            self._open -= ends

    def _pass(self, source: socket.socket, sink: socket.socket, double: socket.socket | None) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK):
                self._flowing.wait()
                time.sleep(self.delay)
                if self._breaks_now(len(block)):
                    break
                sink.sendall(block)
                if double:
                    with suppress(OSError):
                        double.sendall(block)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _breaks_now(self, size: int) -> bool:
        with self._lock:
            self.passed += size
            if self.breaks is None or self.passed < self.breaks:
                return False
            self.breaks = None
            self.broken += 1
            return True

    def _break_all(self) -> None:
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


class FaultyChannel:
    """A transport that loses, repeats and reorders frames.

    Args:
        channel: carries the frames.
        fault: given the number of a frame (from 1) and the peer, what happens to it.
    """

    def __init__(self, channel: HttpsChannel, fault: Callable[[int, str], FrameFault]) -> None:
        self._channel, self._fault = channel, fault
        self._lock = threading.Lock()
        self._last: dict[str, bytes] = {}
        self.frames = 0

    def exchange(self, peer: str, frame: bytes) -> bytes:
        with self._lock:
            self.frames += 1
            what = self._fault(self.frames, peer)
            before = self._last.get(peer)
            self._last[peer] = frame
        if what == "lost":
            raise PeerUnreachable(f"{peer}: the frame was lost")
        if (
            what == "late again" and before
        ):  # the frame before this one arrives once more, after it was answered
            self._channel.exchange(peer, before)
        if what == "early" and before:  # one that overtook this frame
            self._channel.exchange(peer, _renumbered(frame))
        answer = self._channel.exchange(peer, frame)
        if what == "late again" and before:
            self._channel.exchange(peer, before)
        if what == "twice":
            answer = self._channel.exchange(peer, frame)
        if what == "answer lost":
            raise PeerUnreachable(f"{peer}: the answer was lost")
        return answer

    def spans(self) -> dict[str, list[Span]]:
        return self._channel.spans()

    def close(self) -> None:
        self._channel.close()


def _renumbered(frame: bytes) -> bytes:
    """Return a frame as if the next request of its job had overtaken it."""
    envelope = PROTOCOL.decode_request(frame)
    return encode(msgspec.structs.replace(envelope, sequence=envelope.sequence + 1))
