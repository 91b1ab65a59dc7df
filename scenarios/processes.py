"""Commands and servers of institutions as processes: started, watched, and never left behind."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

import parties

START_SECONDS = 60
STOP_SECONDS = 40
"""How long a server may take to listen, and to finish its work when asked to stop."""

WATCH_SECONDS = 0.05
"""How often the peak memory of a running command is read: it is gone when the process is."""


class CommandFailed(click.ClickException):
    """A command or server of an institution ended otherwise than it should; it has said why itself."""


@contextmanager
def leaving_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the program, as Ctrl-C does, so that no server outlives it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def serve(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a party's server, and stop it at the end of the block; its log is ``server.log``.

    Raises:
        CommandFailed: at the end, where the server failed by itself.
    """
    log = directory / "server.log"
    with log.open("a") as said:
        process = start(directory.parent, ("party", "serve", directory.name), subprocess.PIPE, said)
    try:
        yield process
    finally:
        ended = process.poll()
        stop(process)
        _lines(process).close()
        if ended:  # 0 after Ctrl-C, which reaches the servers too
            raise CommandFailed(f"the server of {directory.name} ended by itself (status {ended}); see {log}")


def wait_until_ready(name: str, process: subprocess.Popen[str]) -> str:
    """Wait for the line in which a server says where it listens; return the URL or raise CommandFailed."""
    ready, _, _ = select.select([_lines(process)], [], [], START_SECONDS)
    url = re.search(r"https://\S+", _lines(process).readline()) if ready else None
    if url is None:
        raise CommandFailed(f"the server of {name} did not start; its server.log says why")
    return url[0]


def _lines(server: subprocess.Popen[str]) -> IO[str]:
    assert server.stdout is not None  # noqa: S101  # a pipe was asked for
    return server.stdout


def start(
    directory: Path, arguments: Sequence[str], output: IO[str] | int, errors: IO[str] | None = None
) -> subprocess.Popen[str]:
    """Start ``vfl`` in a directory, with these packages wherever they were imported from."""
    home = str(Path(parties.__file__).resolve().parents[1])
    search = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": search, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    command = [sys.executable, "-m", "parties", *arguments]
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        text=True,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """End a process if it still runs: ask first, and insist when it takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def peak_mb(pid: int) -> float:
    """Peak resident memory of a running process in MiB; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak[0]) / 1024 if peak else 0.0


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
