"""How many customers may still be scored under each contract."""

from __future__ import annotations

import threading
from typing import NamedTuple

import sqlalchemy as sa

from parties.storage import database
from vfl.errors import RateExceeded
from vfl.wire.contract import Contract

AHEAD = 0.01
"""Part of an hour's customers that is written off at once: how often the database is written, and the most
that a restart costs a peer."""


class _Left(NamedTuple):
    """``rows`` were left ``at`` a time, in seconds since 1970; ``ahead`` more are written off already."""

    rows: float
    at: float
    ahead: float


class RowQuota:
    """As many customers at once as an hour allows, refilled evenly. Thread-safe.

    Customers are written off in the database before they are answered for, so that a party which restarts
    gives none twice.

    Args:
        engine: the party's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._left: dict[bytes, _Left] = {}
        self._lock = threading.Lock()

    def consume(self, digest: bytes, contract: Contract, rows: int, now: float) -> None:
        """Count rows that are asked for; raises RateExceeded, and counts none, where they are too many."""
        hour = float(contract.rows_per_hour)
        with self._lock:
            last = self._left.get(digest) or self._written(digest) or _Left(hour, now, 0.0)
            now = max(now, last.at)  # a clock that was put back refills nothing twice
            left = min(hour, last.rows + (now - last.at) * hour / 3600)
            if rows > left:
                raise RateExceeded(
                    f"{rows} rows asked; the contract allows {contract.rows_per_hour} an hour, "
                    "wait for some time"
                )
            ahead = last.ahead - rows
            if ahead < 0:
                ahead = min(hour * AHEAD, left - rows)
                self._write(digest, left - rows - ahead, now)
            self._left[digest] = _Left(left - rows, now, ahead)

    def _written(self, digest: bytes) -> _Left | None:
        table = database.rates
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.digest == digest.hex())).first()
        return None if row is None else _Left(row.left, row.at, 0.0)

    def _write(self, digest: bytes, left: float, now: float) -> None:
        table, values = database.rates, {"left": left, "at": now}
        with self._engine.begin() as connection:
            written = connection.execute(
                sa.update(table).where(table.c.digest == digest.hex()).values(values)
            )
            if not written.rowcount:
                connection.execute(sa.insert(table).values(digest=digest.hex(), **values))
