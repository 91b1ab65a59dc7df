"""Institutions on this machine: each has a party directory, a certificate and processes of its own.

Everything happens by the commands that a user would type, in processes that talk over HTTPS on the
loopback interface; nothing is taken from a shorter path.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from parties.config.files import write_private
from scenarios.processes import (
    WATCH_SECONDS,
    CommandFailed,
    free_port,
    leaving_on_sigterm,
    peak_mb,
    serve,
    start,
    stop,
    wait_until_ready,
)

PASSWORD_FILE = "state/password"  # noqa: S105  # the name of a file


@dataclass(frozen=True)
class Institution:
    """One institution before its party directory is made.

    Attributes:
        name: of the party and of its directory.
        data: its file.
        key: the column that names the customer or the transaction.
        key_field: what all institutions call that field of the key.
        recipe: steps that make keys of all institutions alike.
        label: the label column; the institution that has one is the label party.
        allow: what a feature party lets the label party ask.
        reasons: under which names it lets contributions of its columns be told.
        columns: columns with a use of their own by what they hold: ``amount``, ``day``.
    """

    name: str
    data: Path
    key: str = "customer_id"
    key_field: str = "customer_id"
    recipe: str = "strip upper"
    label: str | None = None
    allow: Sequence[str] = ("align", "train", "score", "export")
    reasons: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """``label`` or ``feature``."""
        return "feature" if self.label is None else "label"


@dataclass
class Consortium:
    """Institutions under one directory, the label party first.

    Args:
        directory: holds a party directory for each, and their development authority.
        institutions: one with a label, then feature parties in the order in which columns are numbered.
        key_bits: length of the label party's Paillier key.
    """

    directory: Path
    institutions: Sequence[Institution]
    key_bits: int = 2048
    peak_mb: dict[str, float] = field(default_factory=dict)
    _servers: dict[str, ExitStack] = field(default_factory=dict)

    @property
    def label(self) -> Institution:
        """The label party."""
        return self.institutions[0]

    @property
    def features(self) -> Sequence[Institution]:
        """The feature parties."""
        return self.institutions[1:]

    def path(self, name: str) -> Path:
        """Return an institution's party directory."""
        return self.directory / name

    def run(self, *arguments: str, party: str | None = None, status: int = 0) -> str:
        """Run ``vfl ARGUMENTS`` in :attr:`directory`, in a process of its own; return what it printed.

        Its progress and errors go where this program's own go.

        Args:
            party: the institution whose memory it counts as; the label party by default.
            status: the exit status that is expected.

        Raises:
            CommandFailed: it ended otherwise.
        """
        with tempfile.TemporaryFile("w+") as output:
            process = start(self.directory, arguments, output)
            peak = 0.0
            try:
                while process.poll() is None:
                    peak = max(peak, peak_mb(process.pid))
                    time.sleep(WATCH_SECONDS)
            finally:
                stop(process)
            self._remember(party or self.label.name, peak)
            if process.returncode != status:
                raise CommandFailed(f"`vfl {' '.join(arguments)}` failed (exit status {process.returncode})")
            output.seek(0)
            return output.read()

    def set_up(self) -> None:
        """Make every party directory and make the parties known to each other.

        Raises:
            CommandFailed: a directory exists already, or its data cannot be named so.
        """
        # The first party also makes the development authority that signs for all.
        own = self._init(self.label)
        (self.path(self.label.name) / "state").mkdir(mode=0o700, exist_ok=True)
        write_private(self.path(self.label.name) / PASSWORD_FILE, secrets.token_urlsafe().encode())
        with (self.path(self.label.name) / "party.toml").open("a") as file:
            file.write(f'\n[crypto]\nkey_bits = {self.key_bits}\npassword_file = "{PASSWORD_FILE}"\n')
            file.write(f"\n[api]\nport = {free_port()}\n")
        with ThreadPoolExecutor() as pool:
            facts = list(pool.map(self._init, self.features))
            introduced = [pool.submit(self._grant, part, own) for part in self.features]
            for part, own_facts in zip(self.features, facts, strict=True):
                self._add_peer(self.label.name, part.name, own_facts, "--url", own_facts["url"])
            for future in introduced:
                future.result()

    def check(self, part: Institution) -> str:
        """Make the party directory of an institution with bad data; return what ``vfl check`` says of it."""
        self._init(part)
        return self.run("check", part.name, party=part.name, status=1)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve every feature party until the end of the block, however it ends.

        Raises:
            CommandFailed: a server did not come up.
        """
        with leaving_on_sigterm(), ExitStack() as stack:
            # The label party's server stops first: it asks the others.
            for part in (*self.features, self.label):
                self._servers[part.name] = stack.enter_context(ExitStack())
            begun = {part.name: self._begin(part.name) for part in self.features}
            for name, process in begun.items():
                wait_until_ready(name, process)
            yield

    def start(self, name: str) -> str:
        """Serve one party within :meth:`serving`, and return the URL where it listens.

        Raises:
            CommandFailed: the server did not come up.
        """
        return wait_until_ready(name, self._begin(name))

    def stop(self, name: str) -> None:
        """Stop one party's server; it may be started again."""
        self._servers[name].close()

    def traffic(self) -> dict[str, dict[str, int]]:
        """Return by feature party the bytes that the label party's ledger says it sent and received."""
        totals = json.loads(self.run("audit", "show", self.label.name, "--json"))
        exchanged = {part.name: {"bytes_sent": 0, "bytes_received": 0} for part in self.features}
        for total in totals:
            exchanged[total["peer"]]["bytes_sent"] += total["request_bytes"]
            exchanged[total["peer"]]["bytes_received"] += total["reply_bytes"]
        return exchanged

    def _begin(self, name: str) -> subprocess.Popen[str]:
        """Start a server without waiting for it."""
        process = self._servers[name].enter_context(serve(self.path(name)))
        self._servers[name].callback(lambda: self._remember(name, peak_mb(process.pid)))
        return process

    def _init(self, part: Institution) -> dict[str, str]:
        """Make a party directory; return what its peers need to know."""
        options = ["--name", part.name, "--role", part.role, "--data", str(part.data)]
        options += ["--key", f"{part.key_field}={part.key}", "--recipe", f"{part.key_field}: {part.recipe}"]
        options += ["--label", part.label] if part.label else ["--port", str(free_port())]
        options += [word for role, column in part.columns.items() for word in (f"--{role}", column)]
        options += ["--dev-ca", "authority", "--json"]
        facts: dict[str, str] = json.loads(self.run("party", "init", part.name, *options, party=part.name))
        return facts

    def _grant(self, part: Institution, own: dict[str, str]) -> None:
        """Let a feature party grant the label party what it allows."""
        allowed = [word for permission in part.allow for word in ("--allow", permission)]
        reasons = ("--reasons", part.reasons) if part.reasons else ()
        self._add_peer(part.name, self.label.name, own, *allowed, "--show-columns", *reasons)

    def _add_peer(self, name: str, peer: str, facts: dict[str, str], *options: str) -> None:
        known = ("--fingerprint", facts["fingerprint"], "--identity", facts["identity"])
        add = ("party", "add-peer", name, peer, *known)
        self.run(*add, *options, party=name)

    def _remember(self, name: str, peak: float) -> None:
        self.peak_mb[name] = round(max(peak, self.peak_mb.get(name, 0.0)), 1)


def working_directory(out: Path | None, stack: ExitStack) -> Path:
    """Return the new directory ``out``, or without one a temporary directory until the stack is left.

    Raises:
        UsageError: there is something in ``out`` already.
    """
    if out is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vfl-")))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise click.UsageError(f"{out} is there already and is not empty; choose a new directory")
    out.mkdir(parents=True, exist_ok=True)
    return out.resolve()
