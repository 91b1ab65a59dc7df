"""How many customers may still be scored under each contract."""

from __future__ import annotations

import threading
from typing import NamedTuple

import sqlalchemy as sa

from parties.storage import database
from vfl.errors import RateExceeded
from vfl.wire.contract import Contract

AHEAD = 0.01
"""Fraction of an hour's customers that is written off at once: how often the database is written, and the
most that a restart costs a peer."""


class _Balance(NamedTuple):
    """``rows`` were left at a ``time``, in seconds since 1970; ``ahead`` more are written off already."""

    rows: float
    time: float
    ahead: float


class RowQuota:
    """As many customers at once as an hour allows, refilled evenly. Thread-safe.

    Customers are written off in the database before the answer, so that a party which restarts answers for
    none twice.

    Args:
        engine: the party's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._balances: dict[bytes, _Balance] = {}
        self._lock = threading.Lock()

    def consume(self, digest: bytes, contract: Contract, rows: int, now: float) -> None:
        """Count requested rows; raises RateExceeded, and counts none, where they are too many."""
        hour = float(contract.rows_per_hour)
        with self._lock:
            last = self._balances.get(digest) or self._read(digest) or _Balance(hour, now, 0.0)
            now = max(now, last.time)  # a clock that was put back refills nothing twice
            left = min(hour, last.rows + (now - last.time) * hour / 3600)
            if rows > left:
                raise RateExceeded(
                    f"{rows} rows asked; the contract allows {contract.rows_per_hour} an hour, "
                    "wait for some time"
                )
            ahead = last.ahead - rows
            if ahead < 0:
                ahead = min(hour * AHEAD, left - rows)
                self._write(digest, left - rows - ahead, now)
            self._balances[digest] = _Balance(left - rows, now, ahead)

    def _read(self, digest: bytes) -> _Balance | None:
        table = database.rates
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.digest == digest.hex())).first()
        return None if row is None else _Balance(row.left, row.at, 0.0)

    def _write(self, digest: bytes, left: float, now: float) -> None:
        table, values = database.rates, {"left": left, "at": now}
        with self._engine.begin() as connection:
            written = connection.execute(
                sa.update(table).where(table.c.digest == digest.hex()).values(values)
            )
            if not written.rowcount:
                connection.execute(sa.insert(table).values(digest=digest.hex(), **values))
