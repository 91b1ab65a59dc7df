"""What an audit must find: the ledger of a party that was changed, cut, or written anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from parties import config as configuration
from parties.contracts.contract_store import ContractStore
from parties.keys import identity
from parties.ledger import audit
from parties.ledger.entries import START, Entry, Ledger, Signed, chained
from parties.storage import database
from tests.faults.scene import Scene
from tests.faults.table import ACCEPTED, LOST, Fault
from vfl.wire.contract_messages import ProposeContract
from vfl.wire.ledger_messages import CloseLedger

FOUND = "found"
ENTRIES, HEADS, CONTRACTS = database.ledger, database.ledger_heads, database.contracts

Row = tuple[Any, ...]
"""An entry and its hash."""

Tamper = Callable[[sa.Connection, Random], int]
"""Changes a database; returns the number of the entry at which an audit must find that."""


def faults() -> Iterator[Fault]:
    """Every forgery, in the order in which they are tried."""
    for column in ENTRIES.columns.keys()[1:]:
        yield tampered(f"one byte of an entry: {column}", partial(_flip, ENTRIES, column))
    for column in HEADS.columns.keys()[1:]:
        yield tampered(f"one byte of what was signed: {column}", partial(_flip, HEADS, column))
    yield tampered("one byte of a contract", _other_terms)
    yield tampered("an entry removed", _remove)
    yield tampered("two entries exchanged", _exchange)
    yield tampered("an entry inserted", _insert)
    yield tampered("what was signed removed", _forget)
    yield tampered("the ledger cut after an entry", _cut)
    yield tampered("the chain written anew from an entry", _rechain)
    yield Fault("all written anew, against the peer's copy", FOUND, _all_anew)
    yield Fault("one byte of an entry, `vfl audit verify`", FOUND, _by_command)


def tampered(name: str, tamper: Tamper) -> Fault:
    """Return a forgery of a copy of the bank's ledger that an audit must find, at the entry."""

    def inject(scene: Scene, new: str, random: Random) -> str:
        home = _copy(scene, new)
        if _verify(home):
            return f"{LOST}: the ledger was not whole before"
        with _engine(home).begin() as connection:
            entry = tamper(connection, random)
        found = _verify(home)
        if not found:
            return ACCEPTED
        return FOUND if entry in found else f"found at {found}, not {entry}"

    return Fault(name, FOUND, inject)


def _copy(scene: Scene, name: str) -> Path:
    """Return a copy of the bank's directory."""
    home = scene.bank.directory.with_name(name)
    shutil.copytree(scene.bank.directory, home)
    return home


def _engine(home: Path) -> sa.Engine:
    return database.connect(configuration.load(home))


def _verify(home: Path, against: list[Signed] | None = None) -> list[int]:
    """Return the entries at which an audit finds something."""
    config, engine = configuration.load(home), _engine(home)
    peers = {name: peer.identity for name, peer in config.peers.items()}
    public = identity.load(config).public
    verdict = audit.verify(Ledger(engine), ContractStore(engine), public, peers, against or [])
    return [finding.entry for finding in verdict.findings]


def _any(connection: sa.Connection, random: Random, table: sa.Table = ENTRIES) -> int:
    """Return the number of an entry that is neither the first nor one of the last two."""
    numbers: list[int] = list(connection.execute(sa.select(table.c.entry).order_by(table.c.entry)).scalars())
    return random.choice(numbers[1:-2] or numbers)


def _flip(table: sa.Table, column: str, connection: sa.Connection, random: Random) -> int:
    """Flip the last bit of one byte of a field, or of a number."""
    entry = _any(connection, random, table)
    at = table.c.entry == entry
    before = connection.execute(sa.select(table.c[column]).where(at)).scalar_one()
    connection.execute(sa.update(table).where(at).values({column: _flipped(before, random)}))
    return entry


def _flipped(before: Any, random: Random) -> Any:
    if isinstance(before, int):
        return before ^ 1
    content = bytearray(before if isinstance(before, bytes) else before.encode())
    content[random.randrange(len(content))] ^= 1
    return bytes(content) if isinstance(before, bytes) else content.decode()


def _other_terms(connection: sa.Connection, random: Random) -> int:
    """Flip a bit of a contract; it is found at the first entry of a job that is under it."""
    jobs = sa.select(ENTRIES.c.contract, sa.func.min(ENTRIES.c.entry)).group_by(ENTRIES.c.contract)
    jobs = jobs.where(ENTRIES.c.contract != "-", ENTRIES.c.kind != ProposeContract.__name__)
    contract, first = random.choice(connection.execute(jobs.where(ENTRIES.c.outcome == "ok")).all())
    at = CONTRACTS.c.digest == contract
    before = connection.execute(sa.select(CONTRACTS.c.contract).where(at)).scalar_one()
    connection.execute(sa.update(CONTRACTS).where(at).values(contract=_flipped(before, random)))
    return int(first)


def _remove(connection: sa.Connection, random: Random) -> int:
    entry = _any(connection, random)
    connection.execute(sa.delete(ENTRIES).where(ENTRIES.c.entry == entry))
    return entry


def _exchange(connection: sa.Connection, random: Random) -> int:
    """Exchange an entry and the next one; each keeps its hash."""
    entry, rows = _any(connection, random), _rows(connection)
    first, second = rows[entry - 1 : entry + 1]
    rows[entry - 1 : entry + 1] = [(entry, *second[1:]), (entry + 1, *first[1:])]
    _write(connection, rows)
    return entry


def _insert(connection: sa.Connection, random: Random) -> int:
    """Put a copy of an entry behind it; those after it are numbered anew."""
    entry, rows = _any(connection, random), _rows(connection)
    _write(connection, _numbered([*rows[:entry], rows[entry - 1], *rows[entry:]]))
    return entry + 1


def _forget(connection: sa.Connection, random: Random) -> int:
    entry = _any(connection, random, HEADS)
    connection.execute(sa.delete(HEADS).where(HEADS.c.entry == entry))
    return entry


def _cut(connection: sa.Connection, random: Random) -> int:
    """Cut off the entry of what was signed last, and all that follow."""
    last = connection.execute(sa.select(sa.func.max(HEADS.c.entry))).scalar_one()
    connection.execute(sa.delete(ENTRIES).where(ENTRIES.c.entry >= last))
    return int(last)


def _rechain(connection: sa.Connection, random: Random) -> int:
    """Change the first entry, and give all that follow the hashes that they would then have."""
    first, *rest = _rows(connection)
    _write(connection, _chain([(*Entry(*first[:-1])._replace(request_bytes=1), first[-1]), *rest]))
    return int(connection.execute(sa.select(sa.func.min(HEADS.c.entry))).scalar_one())


def _all_anew(scene: Scene, name: str, random: Random) -> str:
    """Leave out all that was signed and chain the rest: whole by itself, but the bureau has kept its copy."""
    home = _copy(scene, name)
    with _engine(home).begin() as connection:
        rows = [row for row in _rows(connection) if Entry(*row[:-1]).kind != CloseLedger.__name__]
        connection.execute(sa.delete(HEADS))
        _write(connection, _chain(_numbered(rows)))
    if _verify(home):
        return f"{LOST}: found without the peer's copy, which is what this is about"
    kept = Ledger(database.connect(scene.bureau)).signed()
    return FOUND if _verify(home, kept) else ACCEPTED


def _by_command(scene: Scene, name: str, random: Random) -> str:
    home = _copy(scene, name)
    scene.run("audit", "verify", str(home))
    with _engine(home).begin() as connection:
        entry = _flip(ENTRIES, "time", connection, random)
    told = scene.run("audit", "verify", str(home), codes=(0, 1))
    return FOUND if f"entry {entry}" in told else ACCEPTED


def _rows(connection: sa.Connection) -> list[Row]:
    return [tuple(row) for row in connection.execute(sa.select(ENTRIES).order_by(ENTRIES.c.entry))]


def _write(connection: sa.Connection, rows: list[Row]) -> None:
    """Put rows in the place of all."""
    connection.execute(sa.delete(ENTRIES))
    names = ENTRIES.columns.keys()
    connection.execute(sa.insert(ENTRIES), [dict(zip(names, row, strict=True)) for row in rows])


def _numbered(rows: list[Row]) -> list[Row]:
    return [(number, *row[1:]) for number, row in enumerate(rows, 1)]


def _chain(rows: list[Row]) -> list[Row]:
    """Return rows with the hashes that follow from their content."""
    previous, chain = START, list[Row]()
    for row in rows:
        previous = chained(previous, Entry(*row[:-1]))
        chain.append((*row[:-1], previous))
    return chain
