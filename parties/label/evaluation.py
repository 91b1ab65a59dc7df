"""How well scores find rows of label 1: for the label party alone, with each partner, and together."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from parties.label.evaluation_data import TOGETHER, EvaluationData
from vfl.evaluation import metrics
from vfl.evaluation.alerts import alerted, money_saved, precision_at_k
from vfl.evaluation.bootstrap import interval, resampled
from vfl.evaluation.calibration_curve import brier, calibration_curve
from vfl.evaluation.thresholds import at_least_cost

RATES = (0.001, 0.005, 0.01, 0.05, 0.1)
"""False positive rates that recall is measured at."""

DRAWN_ROWS = 50_000_000
"""Resamples times rows drawn at most, some seconds' work; but never under 200 resamples."""


class AlertTerms(Struct, frozen=True, kw_only=True):
    """What the measures of an evaluation are about.

    ``alerts_per_day`` is how many of the highest scores are looked at: of each day, or of all rows where no
    days are named. ``cost_of_alert`` is in the unit of the amounts.
    """

    alerts_per_day: int = 50
    cost_of_alert: float = 0.0


class Bin(Struct, frozen=True):
    """A tenth of the rows, by score: their weight, mean score, and fraction of label 1."""

    weight: float
    predicted: float
    observed: float


class Measures(Struct, frozen=True, kw_only=True):
    """What one set of scores is worth.

    Attributes:
        roc_auc, pr_auc, ks: 0 to 1.
        recall_at_fpr: by false positive rate, such as ``1%``, the fraction of label 1 that is detected.
        precision_at_k: fraction of label 1 among the alerts that can be looked at.
        money_saved: amounts of label 1 among them, less the cost of all of them; None without amounts.
        lift: by tenth of the rows, highest scores first, the fraction of label 1 over that of all rows.
        brier, calibration_error, calibration: None where scores are no probabilities.
    """

    roc_auc: float
    pr_auc: float
    ks: float
    recall_at_fpr: dict[str, float]
    precision_at_k: float
    money_saved: float | None
    lift: list[float]
    brier: float | None
    calibration_error: float | None
    calibration: list[Bin] | None


class View(Struct, frozen=True):
    """The measures of scores that come from the label party and some ``partners``."""

    name: str
    partners: list[str]
    measures: Measures


class Gain(Struct, frozen=True):
    """How much more than the label party alone, and the limits of the bootstrap's 95% interval."""

    difference: float
    low: float
    high: float


class Added(Struct, frozen=True):
    """What the partners of a view add to the label party alone."""

    name: str
    roc_auc: Gain
    pr_auc: Gain


class LeastCost(Struct, frozen=True):
    """The threshold of all parties' scores that saves most, and what it saves with how many alerts."""

    threshold: float
    alerts: int
    money_saved: float


class Evaluation(Struct, frozen=True, kw_only=True):
    """The fraud team's table.

    Attributes:
        model: its name.
        rows_are: ``validation``, ``training`` or ``source``: which rows these are.
        rows, positives: how many, and how many of label 1.
        days: distinct days among them; None where no day is named.
        alert_terms: what the measures are about.
        views: the label party alone (a model of its columns alone, trained on the same rows), with one
            partner (the joint model, the other partners' columns counted as missing), and all together.
        added: by view what partners add to the first; a partner's value inside the joint model, not that of
            a model trained without the others.
        resamples: of the bootstrap.
        least_cost: None without amounts or a cost of an alert.
    """

    model: str
    rows_are: str
    rows: int
    positives: int
    days: int | None
    alert_terms: AlertTerms
    views: list[View]
    added: list[Added]
    resamples: int
    least_cost: LeastCost | None

    @property
    def together(self) -> Measures:
        """The measures of all parties' scores."""
        return self.views[-1].measures


def evaluation(scored: EvaluationData, terms: AlertTerms) -> Evaluation:
    """Return the measures of every view.

    Weights count in all measures but those of alerts, whose number does not depend on them.

    Raises:
        DataError: all labels are alike.
        ParameterError: fewer than one alert a day.
    """
    labels, names = scored.labels, list(scored.scores)
    measured = {name: _measures(scored, name, terms) for name in names}
    resamples = int(np.clip(DRAWN_ROWS // len(labels), 200, 1_000))
    areas = resampled(labels, scored.scores, scored.weights, resamples=resamples)
    base, base_areas = measured[names[0]], areas[names[0]]
    added = [
        Added(
            name,
            Gain(*interval(measured[name].roc_auc - base.roc_auc, areas[name].roc, base_areas.roc)),
            Gain(*interval(measured[name].pr_auc - base.pr_auc, areas[name].pr, base_areas.pr)),
        )
        for name in names[1:]
    ]
    return Evaluation(
        model=scored.model,
        rows_are=scored.rows_are,
        rows=len(labels),
        positives=int(labels.sum()),
        days=None if scored.days is None else len(np.unique(scored.days)),
        alert_terms=terms,
        views=[View(name, scored.partners[name], measured[name]) for name in names],
        added=added,
        resamples=resamples,
        least_cost=_least_cost(scored, terms.cost_of_alert),
    )


def _measures(scored: EvaluationData, name: str, terms: AlertTerms) -> Measures:
    labels, weights, scores = scored.labels, scored.weights, scored.scores[name]
    alerts = alerted(scores, terms.alerts_per_day, scored.days)
    amounts = scored.amounts
    is_probability = scores.min() >= 0 and scores.max() <= 1
    bins = calibration_curve(labels, scores, weights) if is_probability else None
    return Measures(
        roc_auc=metrics.roc_auc(labels, scores, weights),
        pr_auc=metrics.pr_auc(labels, scores, weights),
        ks=metrics.ks(labels, scores, weights),
        recall_at_fpr={
            f"{rate * 100:g}%": metrics.recall_at_fpr(labels, scores, rate, weights) for rate in RATES
        },
        precision_at_k=precision_at_k(labels, scores, terms.alerts_per_day, scored.days),
        money_saved=None if amounts is None else money_saved(labels, alerts, amounts, terms.cost_of_alert),
        lift=metrics.lift_by_decile(labels, scores, weights).tolist(),
        brier=brier(labels, scores, weights) if bins else None,
        calibration_error=bins.expected_error if bins else None,
        calibration=[Bin(*row) for row in np.transpose(bins).tolist()] if bins else None,
    )


def _least_cost(scored: EvaluationData, cost_of_alert: float) -> LeastCost | None:
    if scored.amounts is None or cost_of_alert <= 0:
        return None
    together = scored.scores[TOGETHER]
    threshold = at_least_cost(scored.labels, together, scored.amounts, cost_of_alert)
    alerts = together >= threshold
    saved = money_saved(scored.labels, alerts, scored.amounts, cost_of_alert)
    return LeastCost(threshold, int(alerts.sum()), saved)
