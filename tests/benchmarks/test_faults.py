"""The table of faults: long enough, and a sum that hides nothing."""

from __future__ import annotations

import pytest

from benchmarks.faults import ACCEPTED, OTHER, SAME, Outcome, faults, summary


def test_there_are_thirty_faults_and_no_two_alike() -> None:
    """Each fault is injected once, under a name of its own."""
    names = [fault.name for fault in faults(60.0)]
    assert len(names) >= 30
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("expected", "observed", "counted"),
    [
        (SAME, SAME, None),
        (SAME, OTHER, "different_models"),
        (SAME, "lost: RuntimeError", "lost_jobs"),
        ("refused: not_allowed", ACCEPTED, "accepted_violations"),
    ],
)
def test_whatever_is_not_as_expected_is_counted(expected: str, observed: str, counted: str | None) -> None:
    """A model that differs, a job that is lost and a violation that is accepted each show in the sum."""
    found = summary([Outcome("fault", expected, observed, 0, 1.0)])
    harm = {name: found[name] for name in ("different_models", "lost_jobs", "accepted_violations")}
    assert harm == {name: int(name == counted) for name in harm}
    assert found["as_expected"] == int(counted is None)
