"""An append-only, hash-chained record of every message in and out. Digests and sizes, never content.

The hash of an entry covers the hash of the one before and all fields of its own, so nothing can be changed,
removed, inserted or reordered without changing every hash that follows. `parties.ledger.heads` has the other
party sign the last of them, and `parties.ledger.audit` looks for what does not fit.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from parties.storage import database
from vfl.wire.ledger_messages import CloseLedger
from vfl.wire.message import Identifier

START = bytes(32)
"""What stands for the hash before the first entry."""

UNKNOWN = "-"
"""What stands for a contract, a job or a kind that a frame does not tell."""

_APPEND = sa.insert(database.ledger)
_KEEP_HEAD = sa.insert(database.ledger_heads)
_BLOCK = 2_000
_encoder = msgspec.msgpack.Encoder()


class Entry(NamedTuple):
    """One exchange: a request and what came back. Numbered from 1 without gaps.

    direction: ``in`` for a request that a peer sent, ``out`` for one sent to it.
    contract, job, sequence, kind: of the request, the contract by its digest in hexadecimal; ``-``, ``-``, 0
        and ``-`` where it cannot be read.
    reply_digest: SHA-256 of the reply's frame, empty where none came.
    outcome: ``ok``, or the code of the error.
    """

    entry: int
    time: str
    direction: str
    peer: str
    contract: str
    job: str
    sequence: int
    kind: str
    request_bytes: int
    reply_bytes: int
    request_digest: bytes
    reply_digest: bytes
    outcome: str


class Signed(NamedTuple):
    """The two frames in which the parties signed the exchanges of a job, and the entry that records them."""

    entry: int
    request: bytes
    reply: bytes


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
    """The ledger of a party's database. There is no way to change or remove an entry here.

    Threads and processes may append at the same time. The number of an entry is unique, so of two that
    follow the same entry one is refused by the database, and is chained again behind the other.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._head: tuple[int, bytes] | None = None

    def append(
        self, direction: str, peer: str, request: bytes | Frame, reply: bytes | None, outcome: str
    ) -> None:
        """Record one exchange.

        Args:
            direction: ``in`` for a message that a peer sent, ``out`` for one sent to it.
            request: its frame; the ledger keeps its heading, length and digest.
            reply: the frame of the answer, None where none came.
            outcome: ``ok``, or the code of the error.
        """
        frame, answer = Frame.read(request), reply or b""
        digests = digest(frame.content), digest(answer) if reply else b""
        signs = frame.heading.kind == CloseLedger.__name__ and outcome == "ok"
        with self._lock:
            last = self._head or self.head()
            while True:
                number, previous = last
                entry = Entry(
                    number + 1, database.now(), direction, peer, *frame.heading,
                    len(frame.content), len(answer), *digests, outcome,
                )  # fmt: skip
                link = chained(previous, entry)
                try:
                    with self._engine.begin() as connection:
                        connection.execute(_APPEND, entry._asdict() | {"hash": link})
                        if signs:
                            connection.execute(
                                _KEEP_HEAD, Signed(entry.entry, frame.content, answer)._asdict()
                            )
                except sa.exc.IntegrityError:
                    self._head, tried = None, last
                    last = self.head()
                    if last == tried:
                        raise  # else another process was first
                except BaseException:
                    self._head = None
                    raise
                else:
                    self._head = entry.entry, link
                    return

    def head(self) -> tuple[int, bytes]:
        """Return number and hash of the last entry."""
        table = database.ledger.c
        with self._engine.connect() as connection:
            last = connection.execute(
                sa.select(table.entry, table.hash).order_by(table.entry.desc()).limit(1)
            ).first()
        return (last.entry, last.hash) if last else (0, START)

    def entries(self, job: str | None = None, contract: str = "") -> Iterator[tuple[Entry, bytes]]:
        """Yield entries with their hashes in order, whatever is stored.

        Args:
            job: only those of this job.
            contract: only those under a contract whose digest begins so.
        """
        table = database.ledger.c
        query = sa.select(database.ledger).order_by(table.entry).limit(_BLOCK)
        if job is not None:
            query = query.where(table.job == job)
        if contract:
            query = query.where(table.contract.startswith(contract.lower(), autoescape=True))
        last: Any = None
        while True:
            with self._engine.connect() as connection:
                rows = connection.execute(query if last is None else query.where(table.entry > last)).all()
            for row in rows:
                yield Entry(*row[:-1]), row[-1]
            if len(rows) < _BLOCK:
                return
            last = rows[-1].entry

    def signed(self) -> list[Signed]:
        """Return what was signed with peers, in order."""
        table = database.ledger_heads
        with self._engine.connect() as connection:
            return [Signed(*row) for row in connection.execute(sa.select(table).order_by(table.c.entry))]

    def damage(self) -> str:
        """Return what SQLite finds wrong with its file, empty for nothing and for other databases."""
        if self._engine.dialect.name != "sqlite":
            return ""
        with self._engine.connect() as connection:
            report = str(connection.execute(sa.text("PRAGMA integrity_check(1)")).scalar())
        return "" if report == "ok" else f"the database file is damaged: {' '.join(report.split())}"

    def totals(self) -> list[Total]:
        """Return what was exchanged, by direction, peer, kind and outcome."""
        table = database.ledger.c
        groups = (table.direction, table.peer, table.kind, table.outcome)
        sums = (sa.func.count(), sa.func.sum(table.request_bytes), sa.func.sum(table.reply_bytes))
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*groups, *sums).group_by(*groups).order_by(*groups))
            return [Total(*row[:4], *map(int, row[4:])) for row in rows]

    def exchanges(self, peer: str, job: str, contract: bytes) -> tuple[int, bytes]:
        """Return number and digest of a job's answered requests, the same in the ledgers of both parties.

        A request that was sent again counts once: with the frames that were exchanged last. One under another
        contract does not count.
        """
        under = contract.hex() or UNKNOWN
        last = {
            entry.sequence: (entry.sequence, entry.kind, entry.request_digest, entry.reply_digest)
            for entry, _ in self.entries(job)
            if (entry.peer, entry.contract, entry.outcome) == (peer, under, "ok")
            and entry.kind != CloseLedger.__name__
        }
        whole = hashlib.sha256(b"vfl job exchanges v1\0")
        for sequence in sorted(last):
            whole.update(_encoder.encode(last[sequence]))
        return len(last), whole.digest()


def digest(frame: bytes) -> bytes:
    """Return the SHA-256 of a frame."""
    return hashlib.sha256(frame).digest()


def chained(previous: bytes, entry: Entry) -> bytes:
    """Return the hash of an entry: SHA-256 of the hash before and of all fields as one MessagePack array."""
    return hashlib.sha256(b"vfl ledger entry v1\0" + previous + _encoder.encode(entry)).digest()


class Heading(NamedTuple):
    """What a frame says of itself before its content."""

    contract: str
    job: str
    sequence: int
    kind: str


class Frame(NamedTuple):
    """A frame with its heading, read once on its way through the channels of a party."""

    content: bytes
    heading: Heading

    @classmethod
    def read(cls, frame: bytes | Frame) -> Frame:
        """Return a frame with its heading; one that has it already as it is."""
        return frame if isinstance(frame, Frame) else cls(frame, heading(frame))


class _Kind(msgspec.Struct):
    kind: Identifier
    code: Identifier = "ok"


class _Envelope(msgspec.Struct, array_like=True):
    job: Identifier
    sequence: Annotated[int, Meta(ge=0, lt=2**53)]
    body: _Kind
    contract: Annotated[bytes, Meta(max_length=32)] = b""


_decoder = msgspec.msgpack.Decoder(_Envelope)


def heading(frame: bytes) -> Heading:
    """Return the heading of a frame, ``-`` and 0 where it cannot be read; nothing else is decoded."""
    envelope = _decode(frame)
    if envelope is None:
        return Heading(UNKNOWN, UNKNOWN, 0, UNKNOWN)
    return Heading(envelope.contract.hex() or UNKNOWN, envelope.job, envelope.sequence, envelope.body.kind)


def outcome_of(reply: bytes) -> str:
    """Return ``ok``, or the code of the error that a reply tells of."""
    envelope = _decode(reply)
    return envelope.body.code if envelope else "malformed"


def _decode(frame: bytes) -> _Envelope | None:
    try:
        return _decoder.decode(memoryview(frame)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
