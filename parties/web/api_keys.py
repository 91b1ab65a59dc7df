"""Keys of the scoring API: made, found, revoked. Only a digest of a key is kept."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import time
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from parties.storage import database
from vfl.errors import ParameterError, StateError

PREFIX = "vfl"
SECRET_BYTES = 32
DEFAULT_RATE = 100
DAY = 86_400
REFRESH_SECONDS = 1.0
"""How soon a key that was made or revoked by another process is known here."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """What is known of a key, but for the key.

    Attributes:
        id: names it in lists and logs; it is the middle part of the key and no secret.
        models: the models it is for; None for all, those of the future included.
        rate: requests a second.
        created: time, UTC.
        used: the last day on which it was used, UTC; None if never.
        revoked: time, UTC; None while it is good.
    """

    id: str
    name: str
    models: list[str] | None
    rate: int
    created: str
    used: str | None = None
    revoked: str | None = None

    def allows(self, model: str) -> bool:
        """Return whether the key is for a model, whether there is such a model or not."""
        return self.models is None or model in self.models


class ApiKeys:
    """The table of keys, in memory for a second at a time, so a request costs no query.

    A digest by plain SHA-256 is enough: slow hashes are for passwords, which can be guessed. A key has 256
    random bits, and whoever has stolen the digests cannot try them out at any speed.

    Args:
        engine: the party's database.
        refresh_seconds: how soon a key that another process made or revoked is known here.
    """

    def __init__(self, engine: sa.Engine, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self._engine, self._refresh_seconds = engine, refresh_seconds
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, ApiKey]] = {}
        self._read_at = -math.inf
        self._marks: set[tuple[str, int]] = set()

    def create(self, name: str, models: list[str] | None, rate: int = DEFAULT_RATE) -> tuple[ApiKey, str]:
        """Make a key; returns what is known of it, and the key itself, which cannot be had again.

        Raises:
            ParameterError: no name, no model or no rate.
        """
        if not 0 < len(name) <= 64 or not name.isprintable():
            raise ParameterError("the name of a key has 1 to 64 printable characters")
        if models == [] or rate < 1:
            raise ParameterError("a key is for at least one model, and one request a second")
        key = ApiKey(id=secrets.token_hex(6), name=name, models=models, rate=rate, created=database.now())
        text = f"{PREFIX}_{key.id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        row = msgspec.to_builtins(key) | {
            "models": msgspec.json.encode(models).decode(),
            "digest": _digest(text).hex(),
        }
        with self._engine.begin() as connection:
            connection.execute(sa.insert(database.api_keys).values(row))
        return key, text

    def revoke(self, id: str) -> None:
        """End a key for good; raises StateError where there is none that is good."""
        table = database.api_keys
        good = sa.and_(table.c.id == id, table.c.revoked.is_(None))
        with self._engine.begin() as connection:
            if not connection.execute(sa.update(table).where(good).values(revoked=database.now())).rowcount:
                raise StateError(f"there is no key {id} to revoke; `vfl api-key list` prints all")

    def all(self) -> list[ApiKey]:
        """Return all keys, revoked ones included, in the order of their making."""
        return [key for _, key in self._read().values()]

    def find(self, text: str, *, look_again: bool = True) -> ApiKey | None:
        """Return what is known of a good key, None for any other text.

        Args:
            look_again: whether to look for an unknown key at once, for it may have been made a moment ago.
        """
        id = text.split("_", 2)[1] if text.count("_") >= 2 else ""
        now = time.monotonic()
        with self._lock:
            old = now - self._read_at > self._refresh_seconds
            if old or (look_again and id not in self._known):
                self._known, self._read_at = self._read(), now
            digest, key = self._known.get(id, (bytes(32), None))
        right = hmac.compare_digest(digest, _digest(text))
        return key if right and key is not None and key.revoked is None else None

    def mark_used(self, key: ApiKey) -> None:
        """Store the day on which a key is used, once a day."""
        day = int(time.time() // DAY)
        mark = (key.id, day)
        if mark not in self._marks:
            self._marks = {other for other in self._marks if other[1] == day} | {mark}
            table, today = database.api_keys, database.now()[:10]
            with self._engine.begin() as connection:
                connection.execute(sa.update(table).where(table.c.id == key.id).values(used=today))

    def _read(self) -> dict[str, tuple[bytes, ApiKey]]:
        table = database.api_keys
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.created)).all()
        return {row.id: (bytes.fromhex(row.digest), _api_key(row)) for row in rows}


def _api_key(row: sa.Row[Any]) -> ApiKey:
    fields = {field: getattr(row, field) for field in ApiKey.__struct_fields__}
    return ApiKey(**{**fields, "models": msgspec.json.decode(row.models)})


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
