"""The table of faults: what is expected of each, what came of it, and the sums that must be zero."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.faults.scene import TREES, Scene

SAME, OTHER, LOST = "same result", "another result", "lost"
MODEL = "a model"
"""Of a job that is expected to end, and whose result is another one every time."""

ACCEPTED = "accepted"
"""Of a violation that was not refused, or a forgery that was not found."""


@dataclass(frozen=True)
class Fault:
    """A fault, what must come of it, and ``inject(scene, name, random)``, which says what came of it."""

    name: str
    expected: str
    inject: Callable[[Scene, str, Random], str]


@dataclass(frozen=True)
class Outcome:
    """What came of a fault; ``trees_again`` counts the trees that were begun more than once."""

    fault: str
    expected: str
    observed: str
    trees_again: int
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.observed == self.expected


def run(scene: Scene, fault: Fault, number: int, seed: int) -> Outcome:
    """Inject one fault and say what came of it."""
    trees, began = scene.trees_opened(), time.monotonic()
    try:
        observed = fault.inject(scene, f"f{number}", Random(f"{seed}-{number}"))
    except Exception as error:  # the table must tell of every fault, whatever became of it
        observed = f"{LOST}: {type(error).__name__}: {str(error)[:200]}"
    again = max(0, scene.trees_opened() - trees - TREES)
    return Outcome(fault.name, fault.expected, observed, again, round(time.monotonic() - began, 2))


def summary(outcomes: list[Outcome]) -> dict[str, int]:
    """Count what must be zero, and what is as expected."""
    jobs = [outcome for outcome in outcomes if outcome.expected in (SAME, MODEL)]
    different = sum(outcome.observed == OTHER for outcome in jobs)
    return {
        "faults": len(outcomes),
        "as_expected": sum(outcome.as_expected for outcome in outcomes),
        "lost_jobs": sum(not outcome.as_expected for outcome in jobs) - different,
        "different_models": different,
        "accepted_violations": sum(outcome.observed == ACCEPTED for outcome in outcomes),
        "most_trees_again": max((outcome.trees_again for outcome in outcomes), default=0),
    }


def line(outcome: Outcome) -> str:
    """Return one row of the table."""
    mark = "ok" if outcome.as_expected else "NOT"
    came = outcome.expected if outcome.as_expected else f"{outcome.observed} (not: {outcome.expected})"
    again = f", {outcome.trees_again} trees again" if outcome.trees_again else ""
    return f"{mark:3} {outcome.fault:<58} {came}{again}  ({outcome.seconds:.1f} s)"


def table(outcomes: list[Outcome]) -> str:
    """Return all rows, those that are alike but for a number as one, and the sums."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.fault.rstrip("0123456789"), outcome.observed), []).append(outcome)
    lines = [f"{'fault':<60} {'times':>5}  {'observed':<44} {'seconds':>8}"]
    for (fault, observed), alike in groups.items():
        mark = "" if alike[0].as_expected else f"  NOT {alike[0].expected}"
        seconds = sum(outcome.seconds for outcome in alike)
        lines.append(f"{fault.strip():<60} {len(alike):>5}  {observed:<44} {seconds:>8.1f}{mark}")
    return "\n".join([*lines, "", *(f"{name:<20} {count}" for name, count in summary(outcomes).items())])
