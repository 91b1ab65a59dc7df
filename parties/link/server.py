"""What serves a party's application: cheroot with TLS, bounded threads and bodies, a graceful stop."""

from __future__ import annotations

import logging
import signal
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cheroot import server as cheroot
from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from parties.config import Config
from parties.keys import tls
from parties.link.transport import IDLE_SECONDS
from parties.telemetry.logs import event
from vfl.errors import ConfigError
from vfl.wire.message import MAX_FRAME_BYTES

HANDSHAKE_SECONDS = 10.0
MAX_HANDSHAKES = 64
STOP_SECONDS = 30
"""How long a stopping server waits for the messages it is working on."""

SIGNAL_SECONDS = 0.2
"""How soon a request to stop is noticed."""

MAX_HEADER_BYTES = 16 * 2**10
WAITING_CONNECTIONS = 64


class _Adapter(BuiltinSSLAdapter):
    """Wraps a socket without shaking hands; the server sees to that."""

    def __init__(self, certificate: Path, key: Path, context: ssl.SSLContext) -> None:
        super().__init__(str(certificate), str(key))
        self.context = context

    def wrap(self, sock: Any) -> tuple[ssl.SSLSocket, dict[str, str]]:
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {}


class _Request(cheroot.HTTPRequest):
    """Throws an unread body away in blocks, where cheroot would read it into memory whatever its size."""

    def send_headers(self) -> None:
        if self.chunked_read and not self.rfile.closed:
            # What is left of the body would be read as the next request.
            self.close_connection = True
        elif getattr(self.rfile, "remaining", 0) > self.server.max_body_bytes:
            self.close_connection = True
        elif hasattr(self.rfile, "remaining"):
            while self.rfile.remaining and self.rfile.read(min(2**16, self.rfile.remaining)):
                pass
        super().send_headers()


class _Connection(cheroot.HTTPConnection):
    RequestHandlerClass = _Request


class Server(wsgi.Server):
    """Serves a WSGI application.

    Hands are shaken in threads of their own. cheroot does it in the one thread that accepts, where a
    client that connects and says nothing would keep everybody else waiting; in the threads that work,
    a few such clients would.
    """

    ConnectionClass = _Connection
    max_request_header_size = MAX_HEADER_BYTES

    def __init__(
        self,
        app: Any,
        address: tuple[str, int],
        adapter: _Adapter | None,
        *,
        threads: int,
        connections: int,
        max_body_bytes: int,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            max=threads,
            # Longer than clients keep an idle connection, so that none is closed under a message.
            timeout=2 * int(IDLE_SECONDS),
            shutdown_timeout=STOP_SECONDS,
            accepted_queue_size=WAITING_CONNECTIONS,
            server_name="vfl",
        )
        self.max_body_bytes = max_body_bytes
        self.keep_alive_conn_limit = connections
        self.ssl_adapter = adapter
        self._handshakes = threading.Semaphore(MAX_HANDSHAKES)

    def process_conn(self, conn: Any) -> None:
        """Hand a connection to the threads that work, a new one after its handshake."""
        if conn.ssl_env or not self.ssl_adapter:
            super().process_conn(conn)
        elif self._handshakes.acquire(blocking=False):
            threading.Thread(target=self._shake_hands, args=(conn,), daemon=True).start()
        else:
            text = f"{conn.remote_addr}: let go, {MAX_HANDSHAKES} handshakes are going on"
            event(logging.WARNING, "connection", text)
            conn.close()

    def _shake_hands(self, conn: Any) -> None:
        try:
            conn.socket.settimeout(HANDSHAKE_SECONDS)
            conn.socket.do_handshake()
            conn.socket.settimeout(self.timeout)
            conn.ssl_env = self.ssl_adapter.get_environ(conn.socket)
            self.process_conn(conn)
        except OSError as error:
            text = f"{conn.remote_addr}: no TLS handshake ({type(error).__name__})"
            event(logging.WARNING, "connection", text)
            conn.close()
        finally:
            self._handshakes.release()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot has to say, without the traceback: it may quote what a client sent."""
        event(level, "server", msg.split("\n", 1)[0][:200])


class PartyServer(Server):
    """A feature party's server: its address and certificate, and no client without one."""

    def __init__(self, config: Config, app: Any) -> None:
        files = tls.files_of(config)
        super().__init__(
            app,
            (config.server.host, config.server.port),
            _Adapter(files.certificate, files.key, tls.server_context(files)),
            threads=config.server.threads,
            connections=WAITING_CONNECTIONS,
            max_body_bytes=MAX_FRAME_BYTES,
        )


class ApiServer(Server):
    """A label party's server: the scoring API at the address of ``[api]``."""

    def __init__(self, config: Config, app: Any) -> None:
        api, files = config.api, tls.files_of(config)
        certificate = config.path(api.certificate) if api.certificate else files.certificate
        key = config.path(api.key) if api.key else files.key
        super().__init__(
            app,
            (api.host, api.port),
            None if api.plain_http else _Adapter(certificate, key, tls.public_context(certificate, key)),
            threads=api.threads,
            connections=api.connections,
            max_body_bytes=api.max_body_mb * 10**6,
        )


class OperationsServer(Server):
    """Tells metrics and health on a loopback address, at the address of ``[metrics]``."""

    def __init__(self, config: Config, app: Any) -> None:
        address = (config.metrics.host, config.metrics.port or 0)
        super().__init__(app, address, None, threads=2, connections=8, max_body_bytes=0)
        self.expiration_interval = SIGNAL_SECONDS  # sleep of the accepting thread before it sees a stop
        self._thread = threading.Thread(target=self.serve, name="metrics")

    def __enter__(self) -> OperationsServer:
        _prepare(self, "metrics")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()


def serve_until_stopped(server: Server, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then finish the messages at work and return.

    Args:
        on_ready: called with the URL once connections are accepted.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.append(received))
    _prepare(server, "server" if isinstance(server, PartyServer) else "api")
    thread = threading.Thread(target=server.serve, name="accept")
    thread.start()
    scheme = "https" if server.ssl_adapter else "http"
    on_ready("{}://{}:{}".format(scheme, *server.bind_addr[:2]))
    # Asleep and not waiting for a lock: another thread may take the signal, which would not end such a wait.
    while not signals:
        time.sleep(SIGNAL_SECONDS)
    event(logging.INFO, "stopping", "asked to stop; what is at work is finished first")
    server.stop()
    thread.join()
    event(logging.INFO, "stopped")


def _prepare(server: Server, section: str) -> None:
    try:
        server.prepare()
    except OSError as error:
        address = "{}:{}".format(*server.bind_addr[:2])
        raise ConfigError(f"cannot listen on {address}: {error.strerror}; correct [{section}]") from None
