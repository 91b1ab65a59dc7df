"""From scores to decisions: the threshold that a rule asks for, on rows with known labels.

A row is an alert where ``score >= threshold``. Rows of one score are all alerts or none, so a threshold is
one of the scores seen, or, where nothing may be an alert, the next float32 above the highest of them.
Every threshold is a float32 number: it decides alike whatever the width it is compared in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError, ParameterError

Array = npt.NDArray[Any]

Kind = Literal["fpr", "alerts_per_day", "cost", "score"]

_WANTED: dict[Kind, tuple[str, Callable[[float], bool]]] = {
    "fpr": ("a false positive rate, 0 to 1", lambda value: 0 <= value <= 1),
    "alerts_per_day": ("a number of alerts above 0", lambda value: value > 0),
    "cost": ("the cost of one alert, above 0", lambda value: value > 0),
    "score": ("a score within float32", lambda value: abs(value) <= float(np.finfo(np.float32).max)),
}


def at_false_positive_rate(labels: Array, scores: Array, rate: float, weights: Array | None = None) -> float:
    """Return the lowest threshold at which at most this fraction of the negative rows are alerts.

    Args:
        labels: [n], 1 for a positive row, else 0.
        scores: float32 [n].
        rate: 0 to 1. A fraction that equals it is allowed.
        weights: [n], by which negative rows count; equal by default.

    Raises:
        DataError: no row is negative, or the arrays are of different lengths.
    """
    _same_length(scores, labels, weights)
    negative = (labels == 0) * (np.ones(len(scores)) if weights is None else weights)
    if not negative.sum() > 0:
        raise DataError("A false positive rate needs rows of label 0: check the label column")
    thresholds, (alerted,) = _alerted(scores, negative)
    # Divided, as the rate is: 29 of 100 is 0.29, whereas 0.29 * 100 falls short of 29.
    return float(thresholds[np.flatnonzero(alerted / alerted[-1] <= rate)[-1]])


def at_alert_budget(scores: Array, days: Array, per_day: float) -> float:
    """Return the lowest threshold with at most ``per_day`` alerts a day on average.

    Args:
        scores: float32 [n].
        days: [n], the day of each row; only which rows share one matters, and days without rows do not count.
        per_day: above 0.

    Raises:
        DataError: there are no rows, or the arrays are of different lengths.
    """
    _same_length(scores, days)
    thresholds, (alerts,) = _alerted(scores, np.ones(len(scores)))
    return float(thresholds[np.flatnonzero(alerts / len(np.unique(days)) <= per_day)[-1]])


def at_least_cost(labels: Array, scores: Array, amounts: Array | None, cost_of_alert: float) -> float:
    """Return the threshold at which alerts and missed positive rows together cost least.

    The cost is ``cost_of_alert`` times the number of alerts, plus the amounts of the positive rows that are
    no alerts. Of thresholds that cost the same the highest is returned: the one with the fewest alerts.

    Args:
        labels: [n], 1 for a positive row, else 0.
        scores: float32 [n].
        amounts: [n], what missing a positive row loses, in the unit of ``cost_of_alert``; None for 1 each.
        cost_of_alert: above 0.

    Raises:
        DataError: the amount of a positive row is negative or not finite, there are no rows, or the arrays
            are of different lengths.
    """
    thresholds, costs, _ = costs_of(labels, scores, amounts, cost_of_alert)
    return float(thresholds[np.argmin(costs)])


def costs_of(
    labels: Array, scores: Array, amounts: Array | None, cost_of_alert: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return every threshold that decides differently, highest first, its cost and its number of alerts.

    See :func:`at_least_cost` for the arguments and errors.
    """
    _same_length(scores, labels, amounts)
    lost = np.where(labels == 1, 1.0 if amounts is None else amounts, 0.0)
    if not (np.isfinite(lost) & (lost >= 0)).all():
        raise DataError("The amount of a positive row is negative or not finite: correct the amount column")
    thresholds, (alerts, caught) = _alerted(scores, np.ones(len(scores)), lost)
    return thresholds, cost_of_alert * alerts + (caught[-1] - caught), alerts.astype(np.int64)


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen; ``str`` gives the text that :meth:`parse` reads.

    Attributes:
        kind: what it is held to, and ``value`` how much: a false positive rate, alerts a day, the cost of an
            alert (against the amounts of missed positive rows), or the score itself.
    """

    kind: Kind
    value: float

    @staticmethod
    def parse(text: str) -> Rule:
        """Read ``fpr=0.01``, ``alerts_per_day=50``, ``cost=5`` or ``score=0.3``.

        Raises:
            ParameterError: it says what to write.
        """
        name, _, number = (part.strip() for part in text.partition("="))
        if name not in get_args(Kind):
            raise ParameterError(
                f"threshold {text!r}: write fpr=RATE, alerts_per_day=NUMBER, cost=OF_AN_ALERT or score=SCORE"
            )
        kind = cast(Kind, name)
        meaning, allowed = _WANTED[kind]
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and allowed(value)):
            raise ParameterError(f"threshold {text!r}: after {kind}= write {meaning}")
        return Rule(kind, value)

    def __str__(self) -> str:
        return f"{self.kind}={self.value!r}".removesuffix(".0")

    def threshold(
        self,
        labels: Array,
        scores: Array,
        amounts: Array | None = None,
        days: Array | None = None,
        weights: Array | None = None,
    ) -> float:
        """Return the threshold on these rows, a float32 number; arguments as of the functions above.

        Raises:
            ParameterError: alerts a day are wanted, and no days are given.
            DataError: as the functions above.
        """
        if self.kind == "fpr":
            return at_false_positive_rate(labels, scores, self.value, weights)
        if self.kind == "cost":
            return at_least_cost(labels, scores, amounts, self.value)
        if self.kind == "score":
            return float(np.float32(self.value))
        if days is None:
            raise ParameterError(
                f"threshold {self}: it needs the day of each row; name its column in data.day"
            )
        return at_alert_budget(scores, days, self.value)


def _alerted(scores: Array, *counted: Array) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float64]]]:
    """Return every threshold that decides differently, highest first, and what is alerted at each.

    The first one alerts nothing. For each of ``counted`` [n] the sum over the alerted rows.
    """
    scores = np.asarray(scores, dtype=np.float32)
    if not len(scores):
        raise DataError("A threshold needs rows with scores, and there are none")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of the rows that share a score
    above = np.nextafter(ranked[:1], np.float32(np.inf))
    sums = [np.append(0.0, np.cumsum(values[order], dtype=np.float64)[last]) for values in counted]
    return np.append(above, ranked[last]), sums


def _same_length(scores: Array, *others: Array | None) -> None:
    if any(len(other) != len(scores) for other in others if other is not None):
        raise DataError("Scores, labels, amounts and days are of different lengths: give one of each a row")
