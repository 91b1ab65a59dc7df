"""Records of jobs: the newest first, by peer and state, and by the first characters of a name."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from parties.config import Config
from parties.storage import database
from parties.storage.job_records import INTERRUPTED, JobRecords
from vfl.errors import StateError

ROWS = [
    ("aa01", "bank", "align", "closed"),
    ("aa02", "bank", "train", "training"),
    ("bb01", "lender", "score", "scoring"),
    ("bb02", "bank", "score", INTERRUPTED),
    ("bb", "lender", "export", "failed"),
]


@pytest.fixture
def records(bureau: Config) -> JobRecords:
    engine = database.connect(bureau)
    rows = [
        {
            "job": job, "peer": peer, "kind": kind, "state": state, "sequence": number, "subject": "m1",
            "created": f"2026-01-0{number + 1}", "updated": "2026-02-01",
        }
        for number, (job, peer, kind, state) in enumerate(ROWS)
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(database.jobs), rows)
    return JobRecords(engine)


def test_jobs_are_listed_the_newest_first(records: JobRecords) -> None:
    """All of them, or those of a peer, or those that have not ended, or both."""
    assert [record.job for record in records.all()] == ["bb", "bb02", "bb01", "aa02", "aa01"]
    assert [record.job for record in records.all(peer="lender")] == ["bb", "bb01"]
    assert [record.job for record in records.all(only_open=True)] == ["bb01", "aa02"]
    assert [record.job for record in records.all(peer="bank", only_open=True)] == ["aa02"]


def test_a_job_is_named_by_its_first_characters(records: JobRecords) -> None:
    """A whole name is one job, whatever else begins so; what is ambiguous or unknown is refused."""
    record = records.named("aa02")
    assert (record.peer, record.kind, record.state, record.requests) == ("bank", "train", "training", 1)
    assert records.named("bb02").state == INTERRUPTED
    assert records.named("bb").kind == "export"
    for prefix, count in (("aa", 2), ("c", 0)):
        with pytest.raises(StateError, match=f"{count} jobs begin with {prefix}"):
            records.named(prefix)
