"""Two institutions as real processes, with a proxy between them: what faults are injected into."""

from __future__ import annotations

import csv
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from benchmarks.injection import Proxy
from parties import database, directory, tls
from parties.checkpoints import Checkpoints
from parties.config import Config
from parties.ledger import Ledger
from parties.settings import PERMISSIONS
from vfl.errors import StateError

TREES = 4
PARAMS = {"n_estimators": TREES, "max_depth": 3, "max_bin": 16, "subsample": 0.8, "random_state": 5}
START_SECONDS = 30.0


class Scene:
    """A bank, a bureau that serves, and a stranger; the bank has aligned and trained undisturbed.

    Args:
        root: an empty directory.
        rows: of each party.

    Attributes:
        bytes_of: by command, how many bytes it exchanged with the bureau undisturbed.
    """

    def __init__(self, root: Path, rows: int) -> None:
        self._root = root
        os.environ["VFL_PASSWORD"] = "faults"  # noqa: S105
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        bank, bureau = self._make("bank", "label", rows), self._make("bureau", "feature", rows)
        self.stranger = self._make("stranger", "label", rows)
        self._port = _free_port()
        self.proxy = Proxy(("127.0.0.1", self._port))
        granted = {"fingerprint": fingerprint(bank), "allow": list(PERMISSIONS), "limits": {"min_rows": 50}}
        self.bureau = directory.add_peer(bureau.directory, "bank", granted)
        known = {"fingerprint": fingerprint(bureau), "url": self.proxy.url}
        self.bank = directory.add_peer(bank.directory, "bureau", known)
        directory.add_peer(self.stranger.directory, "bureau", known)
        self._listen()
        self._server: subprocess.Popen[bytes] | None = None
        self.start()
        self.bytes_of: dict[str, int] = {}
        commands = {"align": self.align("rows"), "train": self.train("undisturbed")}
        commands["score"] = self.score("undisturbed", "undisturbed")
        for name, command in commands.items():
            before = self.proxy.passed
            done = self.run(command)
            if done.returncode:
                raise RuntimeError(f"{name} failed undisturbed: {done.stderr}")
            self.bytes_of[name] = self.proxy.passed - before

    def align(self, name: str) -> list[str]:
        return ["align", str(self.bank.directory), "--name", name]

    def train(self, model: str) -> list[str]:
        params = [f"--param={name}={value}" for name, value in PARAMS.items()]
        return ["train", str(self.bank.directory), "--model", model, "--alignment", "rows", *params]

    def resume(self, model: str) -> list[str]:
        return ["train", str(self.bank.directory), "--resume", model]

    def score(self, model: str, out: str) -> list[str]:
        given, made = self.bank.data.source, self.scores(out)
        return ["score", str(self.bank.directory), model, "--in", given, "--out", str(made)]

    def scores(self, name: str) -> Path:
        return self._root / f"{name}.csv"

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command of ``vfl`` to its end."""
        return subprocess.run(_vfl(command), capture_output=True, text=True, check=False)

    def begin(self, command: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(_vfl(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def part_way(self, process: subprocess.Popen[str], kind: str, random: Random) -> None:
        """Wait until a random part of a command's traffic has passed, or it has ended."""
        until = self.proxy.passed + random.uniform(0.02, 0.98) * self.bytes_of[kind]
        while self.proxy.passed < until and process.poll() is None:
            time.sleep(0.001)

    def start(self) -> None:
        """Start the bureau's server at its address."""
        self._server = subprocess.Popen(
            _vfl(["party", "serve", str(self.bureau.directory)]),
            stdout=subprocess.DEVNULL,
            stderr=(self._root / "bureau.log").open("a"),
        )
        _until(lambda: _listens(self._port), "the bureau did not start; see bureau.log")

    def fill_server(self) -> None:
        """Let no file of the bureau's server grow any more."""
        if self._server:
            resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE, (100, 100))

    def kill_server(self) -> None:
        if self._server:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            self._server = None

    def close(self) -> None:
        self.kill_server()
        self.proxy.__exit__(None, None, None)

    def trees_kept(self, model: str) -> int | None:
        """Return how many trees the bank has kept of a training, None where it has kept nothing."""
        try:
            return Checkpoints(self.bank).load(model).trees
        except StateError:
            return None

    def trees_opened(self) -> int:
        """Return how many trees the bank has opened at the bureau so far, by its ledger."""
        totals = Ledger(database.connect(self.bank)).totals()
        return sum(total.messages for total in totals if total.kind == "OpenTree" and total.outcome == "ok")

    def shares(self, model: str) -> list[bytes]:
        """Return the bytes of both shares of a model; an absent one is empty."""
        files = [
            self.bank.directory / f"state/models/{model}/share.json",
            self.bureau.directory / f"state/shares/bank/{model}.json",
        ]
        return [file.read_bytes() if file.exists() else b"" for file in files]

    def _make(self, name: str, role: str, rows: int) -> Config:
        source, random = self._root / f"{name}.csv", Random(name)  # noqa: S311
        columns = ["age", "income", "default"] if role == "label" else ["balance", "delays", "limit"]
        with source.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["customer_id", *columns])
            for row in range(rows):
                values = [round(random.gauss(0, 1), 3) for _ in columns[:2]]
                last = int(random.random() < 0.3) if role == "label" else round(random.gauss(0, 1), 3)
                writer.writerow([f"C{row + (rows // 5 if role == 'feature' else 0):06d}", *values, last])
        settings = {
            "source": str(source),
            "keys": {"customer_id": "customer_id"},
            "recipe": ["customer_id: strip upper"],
            **({"label": "default"} if role == "label" else {}),
        }
        ca = self._root / "ca"
        return directory.create(self._root / name, name=name, role=role, data=settings, port=0, dev_ca=ca)

    def _listen(self) -> None:
        file = self.bureau.directory / "party.toml"
        file.write_text(file.read_text().replace("port = 0", f"port = {self._port}"))


def fingerprint(party: Config) -> str:
    return tls.fingerprint_of_file(tls.files_of(party).certificate)


def _vfl(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "parties", *command]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    limit = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > limit:
            raise RuntimeError(otherwise)
        time.sleep(0.02)
