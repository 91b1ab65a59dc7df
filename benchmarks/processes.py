"""Processes of ``vfl`` that need no time to import: children of one process that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection

from parties.commands.cli import main

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["parties.commands.scorecard", "parties.commands.serve"])


class Command:
    """A command of ``vfl`` that runs in a process of its own.

    Args:
        arguments: what would follow ``vfl``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        reader, writer = _context.Pipe(duplex=False)
        given = (list(arguments), dict(os.environ), writer)
        self._process = _context.Process(target=_main, args=given, daemon=True)
        self._process.start()
        writer.close()
        self._said = ""
        self._listener = threading.Thread(target=self._listen, args=(reader,), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None  # it was started  # noqa: S101
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()

    def wait(self) -> str:
        """Wait for its end; return all that it wrote, errors included."""
        self._process.join()
        self._listener.join()
        return self._said

    def _listen(self, reader: Connection) -> None:
        with open(os.dup(reader.fileno()), encoding="utf-8", errors="replace") as file:
            reader.close()
            for line in file:
                self._said += line


def _main(arguments: list[str], environment: dict[str, str], writer: Connection) -> None:
    os.environ.update(environment)
    for stream in (1, 2):
        os.dup2(writer.fileno(), stream)
    writer.close()
    main(arguments, prog_name="vfl")
