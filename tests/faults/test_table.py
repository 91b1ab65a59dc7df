"""The table of faults: long enough, and a sum that hides nothing."""

from __future__ import annotations

import pytest

from tests.faults import guards, ledgers, survival, violations
from tests.faults.table import ACCEPTED, MODEL, OTHER, SAME, Outcome, summary, table


def test_there_are_faults_of_every_kind_and_no_two_alike() -> None:
    """Each fault is injected once, under a name of its own; thirty and more are of jobs that must go on."""
    jobs = list(survival.faults(60.0))
    rest = [*violations.faults(), *guards.faults(), *ledgers.faults()]
    assert sum(fault.expected in (SAME, MODEL) for fault in jobs) == len(jobs) >= 30
    assert not {SAME, MODEL, ACCEPTED} & {fault.expected for fault in rest}
    names = [fault.name for fault in (*jobs, *rest)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("expected", "observed", "counted"),
    [
        (SAME, SAME, None),
        (SAME, OTHER, "different_models"),
        (SAME, "lost: RuntimeError", "lost_jobs"),
        (MODEL, MODEL, None),
        (MODEL, "lost", "lost_jobs"),
        ("refused: not_allowed", ACCEPTED, "accepted_violations"),
    ],
)
def test_whatever_is_not_as_expected_is_counted(expected: str, observed: str, counted: str | None) -> None:
    """A model that differs, a job that is lost and a violation that is accepted each show in the sum."""
    found = summary([Outcome("fault", expected, observed, 0, 1.0)])
    harm = {name: found[name] for name in ("different_models", "lost_jobs", "accepted_violations")}
    assert harm == {name: int(name == counted) for name in harm}
    assert found["as_expected"] == int(counted is None)


def test_the_table_shows_what_is_not_as_expected() -> None:
    """Alike outcomes share a row, and an unexpected one has a row of its own that says so."""
    fine = [Outcome(f"kill {number}", SAME, SAME, 0, 1.0) for number in (1, 2)]
    text = table([*fine, Outcome("kill 3", SAME, "lost", 1, 2.0)])
    alike, odd = (line for line in text.splitlines() if line.startswith("kill"))
    assert alike.split()[1:3] == ["2", "same"]
    assert odd.endswith(f"NOT {SAME}")
    assert "lost_jobs            1" in text
