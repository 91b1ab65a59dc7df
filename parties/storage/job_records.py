"""The jobs that label parties opened at a feature party, as its database records them."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from parties.storage import database
from vfl.errors import Interrupted, StateError
from vfl.wire.protocol import CLOSED, FAILED

INTERRUPTED = Interrupted.code
"""State of a job that was open when the server stopped, or that gave way to another."""

ENDED = (CLOSED, FAILED, INTERRUPTED)
"""States that a job stays in."""


class JobRecord(Struct, frozen=True, kw_only=True):
    """A job and its state.

    Attributes:
        job: its name.
        peer: the label party that opened it.
        kind: what the peer needs permission for: ``align``, ``train``, ``score`` or ``export``.
        state: of the protocol, or ``interrupted``.
        requests: how many were answered until the state last changed.
        subject: the name of what the job makes, or of the model that it uses.
        created, updated: UTC.
    """

    job: str
    peer: str
    kind: str
    state: str
    requests: int
    subject: str
    created: str
    updated: str


class JobRecords:
    """Reads the table of jobs.

    Args:
        engine: the party's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def all(self, *, peer: str | None = None, only_open: bool = False) -> list[JobRecord]:
        """Return the jobs, the newest first.

        Args:
            peer: only the jobs of this peer.
            only_open: only jobs that have not ended.
        """
        table = database.jobs
        query = sa.select(table).order_by(table.c.created.desc(), table.c.job)
        if peer is not None:
            query = query.where(table.c.peer == peer)
        if only_open:
            query = query.where(table.c.state.not_in(ENDED))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            JobRecord(
                job=row.job,
                peer=row.peer,
                kind=row.kind,
                state=row.state,
                requests=row.sequence,
                subject=row.subject,
                created=row.created,
                updated=row.updated,
            )
            for row in rows
        ]

    def named(self, prefix: str) -> JobRecord:
        """Return the job whose name begins so; raises StateError where that is none or several."""
        records = [record for record in self.all() if record.job.startswith(prefix)]
        exact = [record for record in records if record.job == prefix]
        records = exact or records
        if len(records) != 1:
            raise StateError(f"{len(records)} jobs begin with {prefix}; see `vfl jobs list`")
        return records[0]
