"""What a team that can look at k alerts a day finds: the highest scores of each day.

Where rows of one score are more than the places left that day, they share those places equally, so that
no measure depends on the order of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64
from vfl.errors import DataError, ParameterError
from vfl.evaluation.thresholds import costs_of

Array = npt.NDArray[Any]


def alerted(score: Array, k: int, days: Array | None = None) -> Float64:
    """Return float64 [n]: 1 for each row among the k highest scores of its day, 0 for the others.

    Rows that share a score at the limit count with the fraction of them that finds a place.

    Args:
        score: [n].
        k: alerts a day, from 1.
        days: [n], the day of each row; by default all rows are of one day.

    Raises:
        ParameterError: k is below 1.
    """
    if k < 1:
        raise ParameterError(f"{k} alerts a day: write a whole number from 1")
    if not len(score):
        return np.zeros(0)
    day = np.zeros(len(score), np.int64) if days is None else np.unique(days, return_inverse=True)[1]
    order = np.lexsort((-score, day))
    new_day = np.diff(day[order], prepend=-1) != 0
    new_group = new_day | (np.diff(score[order], prepend=np.inf) != 0)  # rows of one day and score
    group = np.cumsum(new_group) - 1
    first, size = np.flatnonzero(new_group), np.bincount(group)
    before = first - np.flatnonzero(new_day)[(np.cumsum(new_day) - 1)[first]]
    fractions = np.empty(len(score))
    fractions[order] = (np.clip(k - before, 0, size) / size)[group]
    return fractions


def precision_at_k(label: Array, score: Array, k: int, days: Array | None = None) -> float:
    """Return the fraction of positive rows among the k highest scores of each day; see :func:`alerted`.

    Raises:
        DataError: there are no rows.
        ParameterError: k is below 1.
    """
    alerts = alerted(score, k, days)
    if not len(alerts):
        raise DataError("There are no rows to measure: check the rows chosen")
    return float(alerts @ label / alerts.sum())


def money_curve(
    label: Array, score: Array, amounts: Array, cost_of_alert: float
) -> tuple[npt.NDArray[np.int64], Float64]:
    """Return by threshold, highest first, the number of alerts and the money that they save.

    Arguments and errors are those of `vfl.evaluation.thresholds.costs_of`, whose costs are lost beside it.
    """
    _, costs, alerts = costs_of(label, score, amounts, cost_of_alert)
    return alerts, costs[0] - costs


def money_saved(label: Array, alerts: Array, amounts: Array, cost_of_alert: float) -> float:
    """Return the amounts of the positive rows that are alerts, less the cost of all alerts.

    Args:
        label: [n], 1 for a positive row, else 0.
        alerts: [n], by row 1 or 0 or a fraction, as :func:`alerted` or ``score >= threshold`` gives it.
        amounts: [n], what an alert on a positive row saves.
        cost_of_alert: in the unit of the amounts.
    """
    lost = np.where(label == 1, amounts, 0.0)
    return float(np.sum(alerts * lost, dtype=np.float64) - cost_of_alert * np.sum(alerts, dtype=np.float64))
