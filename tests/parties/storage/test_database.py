"""The database: PostgreSQL, a real server started here where it is installed, does what SQLite does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from parties.config import Config
from parties.contracts.verifier import ContractVerifier
from parties.data.rows import Source
from parties.feature.jobs import Jobs
from parties.label.party import LabelParty
from parties.ledger.entries import Ledger
from parties.storage import database
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ConfigError, Interrupted, StateError
from vfl.psi import messages as m
from vfl.wire.codec import Envelope

BINARIES = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(":"))]
ALIGN = m.OpenAlignment("a1", "left", ["id:"], 1)


def binary(name: str) -> str:
    """Return where a program of PostgreSQL is, or skip."""
    found = next((str(place / name) for place in BINARIES if (place / name).exists()), None)
    if found is None:
        pytest.skip(f"{name} of PostgreSQL is not installed")
    return found


class Postgres:
    """A server of its own that speaks over a socket in its directory only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # PostgreSQL refuses to run as root.
        self._user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(directory, **self._user)
        self._run("initdb", "-D", f"{directory}/data", "-A", "trust", "-U", "vfl", "--no-sync")

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.directory} -c fsync=off"
        self._run(
            "pg_ctl",
            "start",
            "-w",
            "-D",
            f"{self.directory}/data",
            "-l",
            f"{self.directory}/log",
            "-o",
            options,
        )

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", f"{self.directory}/data")

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://vfl@/{name}?host={self.directory}"

    def create(self, name: str) -> str:
        """Make a database and return its URL."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command: list[str] = [binary(program), *arguments]
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=60,
            **self._user,
        )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="psycopg, SQLAlchemy's driver for PostgreSQL, is not installed")
    binary("initdb")
    directory = Path(tempfile.mkdtemp(prefix="vfl-"))
    try:
        server = Postgres(directory)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def on(config: Config, url: str) -> Config:
    """Return a party that keeps its jobs and ledger in a database; its file says so too."""
    file = config.directory / "party.toml"
    file.write_text(file.read_text() + f'\n[store]\ndatabase = "{url}"\n')
    return msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, database=url))


def test_parties_on_postgresql_align_train_and_score(
    postgres: Postgres,
    bank: Config,
    bureau: Config,
    serve: Callable[[Config], str],
    join: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both parties keep jobs and ledger in PostgreSQL; every message is in both ledgers."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    bureau = on(bureau, postgres.create("bureau"))
    url = serve(bureau)
    bank = on(join(bank, bureau, url), postgres.create("bank"))
    with LabelParty(bank) as label:
        label.align()
        label.train(name="m1", params=TreeParams(n_estimators=2, max_depth=2, max_bin=8))
        assert len(label.score("m1", bank.data.source).scores) == 200
    out, into = (Ledger(database.connect(party)).totals() for party in (bank, bureau))
    assert {(t.kind, t.messages, t.request_bytes, t.reply_bytes) for t in out} == {
        (t.kind, t.messages, t.request_bytes, t.reply_bytes) for t in into
    }
    with database.connect(bureau).connect() as connection:
        states = set(connection.execute(sa.select(database.jobs.c.state)).scalars())
    assert states == {"closed"}


def test_a_restart_on_postgresql_interrupts_open_jobs(
    postgres: Postgres, bank: Config, bureau: Config, signed: Any
) -> None:
    """What was open when the party stopped is on record in the database, whatever keeps it."""
    bureau = on(bureau, postgres.create("restart"))
    engine, peer = database.connect(bureau), bureau.peers["bank"]
    contract = signed(bank, bureau, "align", alignment="a1")

    def started() -> Jobs:
        return Jobs(engine, ContractVerifier(bureau, engine, Source(bureau)))

    opening = Envelope("j1", 1, ALIGN, contract)
    started().answer("bank", peer, opening, lambda _: lambda _: m.AlignmentOpened(1))
    second = Envelope("j1", 2, m.FetchPoints(0, 1), contract)
    with pytest.raises(Interrupted):
        started().answer("bank", peer, second, lambda _: lambda _: ALIGN)


def test_a_database_that_is_not_there_is_a_mistake_in_the_configuration(
    postgres: Postgres, bureau: Config
) -> None:
    """At the start the URL is to blame, and is not repeated: it may hold a password."""
    with pytest.raises(ConfigError, match="correct its URL") as caught:
        database.connect(on(bureau, postgres.url("nowhere")))
    assert "nowhere" not in str(caught.value)


def test_a_database_that_goes_away_is_told_with_a_remedy(postgres: Postgres, bureau: Config) -> None:
    """A server that dies in the middle of work gives an error of this party's; once back, work goes on."""
    ledger = Ledger(database.connect(on(bureau, postgres.create("dies"))))
    ledger.append("in", "bank", b"", b"", "ok")
    postgres.stop()
    try:
        with pytest.raises(StateError, match="see that it runs"):
            ledger.append("in", "bank", b"", b"", "ok")
    finally:
        postgres.start()
    ledger.append("in", "bank", b"", b"", "ok")
    assert sum(total.messages for total in ledger.totals()) == 2
