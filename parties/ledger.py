"""An append-only record of every message in and out: who, which, how long, how it ended. Never content."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from parties import database
from vfl.errors import VflError
from vfl.wire.channel import Channel
from vfl.wire.messages import Identifier

_APPEND = sa.insert(database.ledger)


class Total(NamedTuple):
    """Messages of one kind exchanged with one peer; bytes are those of frames."""

    direction: str
    peer: str
    kind: str
    outcome: str
    messages: int
    request_bytes: int
    reply_bytes: int


class Ledger:
    """The ledger table of a party's database. There is no way to change or remove an entry here."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def append(self, direction: str, peer: str, request: bytes, reply: bytes | None, outcome: str) -> None:
        """Record one exchange.

        Args:
            direction: ``in`` for a message that a peer sent, ``out`` for one sent to it.
            request: its frame; only job, kind and length are kept.
            reply: the frame of the answer, None where none came.
            outcome: ``ok``, or the code of the error.
        """
        job, kind = heading(request)
        entry = {
            "time": database.now(), "direction": direction, "peer": peer, "job": job, "kind": kind,
            "request_bytes": len(request), "reply_bytes": len(reply or b""), "outcome": outcome,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(_APPEND, entry)

    def totals(self) -> list[Total]:
        """Return what was exchanged, by direction, peer, kind and outcome."""
        table = database.ledger.c
        groups = (table.direction, table.peer, table.kind, table.outcome)
        sums = (sa.func.count(), sa.func.sum(table.request_bytes), sa.func.sum(table.reply_bytes))
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*groups, *sums).group_by(*groups).order_by(*groups))
            return [Total(*row[:4], *map(int, row[4:])) for row in rows]


class LedgerChannel:
    """A channel that records every exchange of another one.

    Args:
        channel: carries the frames.
        ledger: takes the entries.
    """

    def __init__(self, channel: Channel, ledger: Ledger) -> None:
        self._channel = channel
        self._ledger = ledger

    def exchange(self, peer: str, frame: bytes) -> bytes:
        try:
            reply = self._channel.exchange(peer, frame)
        except VflError as error:
            self._ledger.append("out", peer, frame, None, error.code)
            raise
        self._ledger.append("out", peer, frame, reply, _outcome(reply))
        return reply


class _Kind(msgspec.Struct):
    kind: Identifier
    code: Identifier = "ok"


class _Heading(msgspec.Struct, array_like=True):
    job: Identifier
    sequence: int
    body: _Kind


_decoder = msgspec.msgpack.Decoder(_Heading)


def heading(frame: bytes) -> tuple[str, str]:
    """Return the job and the kind of a frame, ``-`` where it cannot be read; nothing else is decoded."""
    found = _decode(frame)
    return (found.job, found.body.kind) if found else ("-", "-")


def _outcome(reply: bytes) -> str:
    found = _decode(reply)
    return found.body.code if found else "malformed"


def _decode(frame: bytes) -> _Heading | None:
    try:
        return _decoder.decode(memoryview(frame)[1:])
    except msgspec.MsgspecError:
        return None
