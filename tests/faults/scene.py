"""Institutions as real processes, with a proxy between two of them: what faults are injected into."""

from __future__ import annotations

import csv
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.processes import Command
from parties.config import Config
from parties.config.settings import PERMISSIONS
from parties.keys import identity, tls
from parties.ledger.entries import Ledger
from parties.storage import database
from parties.storage import party_directory as directory
from parties.storage.model_store import ModelStore
from parties.storage.training_checkpoints import TrainingCheckpoints
from tests.faults.proxy import Proxy
from vfl.psi.alignment import Alignment

TREES = 4
PARAMS = {"n_estimators": TREES, "max_depth": 3, "max_bin": 16, "subsample": 0.8, "random_state": 5}
ROUNDS = 4
MOST_SUMS = 40
"""In how many sums of one job the bureau lets a row be: more than a training of `PARAMS` has."""

START_SECONDS = 30.0

SHOWN = ["balance", "delays"]
"""Columns of the bureau in its group ``spending``, by whose name the bank may ask for them."""

RIVAL = "rival"
"""A label party that the bureau signs for only once a person approved, and for one purpose."""


class Scene:
    """A bank, a bureau that serves, a rival of the bank, and a stranger that nobody knows.

    The bank has done each kind of job once, undisturbed, under that name.

    Args:
        root: an empty directory.
        rows: of each party.

    Attributes:
        bytes_of: by kind of job, how many bytes it exchanged with the bureau undisturbed.
    """

    def __init__(self, root: Path, rows: int) -> None:
        self._root = root
        os.environ["VFL_PASSWORD"] = "faults"
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        bank, bureau = self._make("bank", "label", rows), self._make("bureau", "feature", rows)
        rival, stranger = self._make(RIVAL, "label", rows), self._make("stranger", "label", rows)
        self._port = _free_port()
        self.proxy = Proxy(("127.0.0.1", self._port))
        limits = {"min_rows": 50, "max_histograms": MOST_SUMS}
        usual = {"allow": list(PERMISSIONS), "limits": limits}
        directory.add_peer(bureau.directory, "bank", _known(bank) | usual)
        careful = {"approvals": 1, "purposes": ["fraud"]}
        self.bureau = directory.add_peer(bureau.directory, RIVAL, _known(rival) | usual | careful)
        known = _known(bureau) | {"url": self.proxy.url}
        self.bank, self.rival, self.stranger = (
            directory.add_peer(party.directory, "bureau", known) for party in (bank, rival, stranger)
        )
        self._listen()
        self._server: Command | None = None
        self.start()
        self.bytes_of: dict[str, int] = {}
        for kind in ("align", "train", "score", "bin", "linear", "shared"):
            before = self.proxy.passed
            self.run(*self.command(kind, "undisturbed"))
            self.bytes_of[kind] = self.proxy.passed - before

    def command(self, kind: str, name: str) -> list[str]:
        """Return the command that does a job under a name, or goes on with one that was broken off."""
        home, rows = str(self.bank.directory), ["--alignment", "undisturbed"]
        if kind == "align":
            return ["align", home, "--name", name]
        if kind == "score":
            out = str(self.scores(name))
            return ["score", home, "undisturbed", "--in", self.bank.data.source, "--out", out]
        if kind == "bin":
            return ["bin", home, "--name", name, *rows, "--param=max_bins=4"]
        model = model_of(kind, name)
        if not TrainingCheckpoints(self.bank).is_free(model):
            return ["train", home, "--resume", model]
        params: dict[str, object] = dict(PARAMS)
        if kind != "train":
            params = {"max_iter": ROUNDS, "protocol": "plain" if kind == "linear" else "shared"}
        algorithm = "trees" if kind == "train" else "linear"
        given = [f"--param={name}={value}" for name, value in params.items()]
        return ["train", home, "--model", model, *rows, "--algorithm", algorithm, *given]

    def made(self, kind: str, name: str) -> list[bytes]:
        """Return what a job left at each party, equal for equal jobs; what is absent is empty."""
        bank, bureau = self.bank.directory / "state", self.bureau.directory / "state"
        files = {
            "score": [self.scores(name)],
            "bin": [bank / f"binnings/{name}/binning.json", bureau / f"binnings/bank/{name}.json"],
            "align": [
                bank / f"alignments/{name}/bureau.alignment", bureau / f"alignments/bank/{name}.alignment"
            ],
        }.get(kind) or [
            bank / f"models/{model_of(kind, name)}/part.json",
            bureau / f"parts/bank/{model_of(kind, name)}.json",
        ]  # fmt: skip
        found = [file.read_bytes() if file.exists() else b"" for file in files]
        if kind == "align" and all(found):  # every alignment has a key and an order of its own
            pair = [Alignment.from_bytes(content) for content in found]
            if pair[0].fingerprint == pair[1].fingerprint:
                return ["\n".join(sorted(one.identifiers)).encode() for one in pair]
        return found

    def scores(self, name: str) -> Path:
        return self._root / f"{name}.csv"

    def aligned(self) -> Alignment:
        """Return the bank's undisturbed alignment with the bureau."""
        return ModelStore(self.bank).load_alignment("undisturbed")[1]["bureau"]

    def run(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of ``vfl`` and return what it wrote; raises RuntimeError on other exit codes."""
        process = Command(command)
        said = process.wait()
        if process.code not in codes:
            raise RuntimeError(f"vfl {command[0]} ended with {process.code}: {said[-300:]}")
        return said

    def begin(self, kind: str, name: str) -> Command:
        """Begin a job under a name, or go on with it."""
        return Command(self.command(kind, name))

    def part_way(self, process: Command, kind: str, random: Random) -> None:
        """Wait until a random part of a job's traffic has passed, or it has ended."""
        until = self.proxy.passed + random.uniform(0.02, 0.98) * self.bytes_of[kind]
        while self.proxy.passed < until and process.code is None:
            time.sleep(0.001)

    def start(self) -> None:
        """Start the bureau's server at its address."""
        self._server = Command(["party", "serve", str(self.bureau.directory)])
        _until(lambda: _listens(self._port), "the bureau did not start")

    def fill_server(self) -> None:
        """Let no file of the bureau's server grow any more."""
        if self._server:
            resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE, (100, 100))

    def kill_server(self) -> None:
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def close(self) -> None:
        self.kill_server()
        self.proxy.__exit__(None, None, None)

    def trees_opened(self) -> int:
        """Return how many trees the bank has opened at the bureau, each frame counted once, by its ledger."""
        entries = Ledger(database.connect(self.bank)).entries()
        opened = {(e.job, e.sequence) for e, _ in entries if (e.kind, e.outcome) == ("OpenTree", "ok")}
        return len(opened)

    def _make(self, name: str, role: str, rows: int) -> Config:
        source, random = self._root / f"{name}.csv", Random(name)
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
            **({"label": "default"} if role == "label" else {"groups": {"spending": SHOWN}}),
        }
        ca = self._root / "ca"
        return directory.create(self._root / name, name=name, role=role, data=settings, port=0, dev_ca=ca)

    def _listen(self) -> None:
        file = self.bureau.directory / "party.toml"
        file.write_text(file.read_text().replace("port = 0", f"port = {self._port}"))


def model_of(kind: str, name: str) -> str:
    """Return the name of a job's model: each kind makes its own."""
    return name if kind == "train" else f"{name}-{kind}"


def fingerprint(party: Config) -> str:
    return tls.fingerprint_of_file(tls.files_of(party).certificate)


def _known(party: Config) -> dict[str, Any]:
    return {"fingerprint": fingerprint(party), "identity": identity.load(party).public}


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
