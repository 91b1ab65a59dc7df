"""The fraud team's table: each measure is what scikit-learn says of it, for every view."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from sklearn import metrics

from parties.label.evaluation import AlertTerms, Evaluation, evaluation
from parties.label.evaluation_data import EvaluationData
from vfl.errors import DataError


@pytest.fixture(scope="module")
def scored() -> EvaluationData:
    rng = np.random.default_rng(0)
    labels = (rng.random(800) < 0.2).astype(np.float32)
    noise = rng.random((3, 800)) * 0.6
    alone, one, both = (labels * gain + part for gain, part in zip((0.1, 0.2, 0.4), noise, strict=True))
    return EvaluationData(
        model="m1",
        rows_are="source",
        columns=np.zeros((800, 0), np.float32),
        labels=labels,
        weights=None,
        amounts=rng.integers(1, 100, 800).astype(np.float32),
        days=np.repeat(np.arange(8), 100),
        partners={"bank alone": [], "+ telco": ["telco"], "together": ["telco", "shop"]},
        scores={
            "bank alone": alone.astype(np.float32),
            "+ telco": one.astype(np.float32),
            "together": both.astype(np.float32),
        },
    )


def test_measures_are_those_of_scikit_learn(scored: EvaluationData) -> None:
    """Ranking, recall, precision at k, money and calibration of each view."""
    found = evaluation(scored, AlertTerms(alerts_per_day=10, cost_of_alert=3.0))
    assert (found.rows, found.positives, found.days) == (800, int(scored.labels.sum()), 8)
    assert [(view.name, view.partners) for view in found.views] == list(scored.partners.items())
    for view in found.views:
        of, scores = view.measures, scored.scores[view.name]
        false_positive, true_positive, _ = metrics.roc_curve(scored.labels, scores, drop_intermediate=False)
        assert of.roc_auc == pytest.approx(metrics.roc_auc_score(scored.labels, scores))
        assert of.pr_auc == pytest.approx(metrics.average_precision_score(scored.labels, scores))
        assert of.ks == pytest.approx((true_positive - false_positive).max())
        assert list(of.recall_at_fpr) == ["0.1%", "0.5%", "1%", "5%", "10%"]
        assert of.recall_at_fpr["5%"] == pytest.approx(true_positive[false_positive <= 0.05].max())
        assert of.brier == pytest.approx(metrics.brier_score_loss(scored.labels, scores.astype(float)))
        top = np.concatenate([day * 100 + np.argsort(-scores[day * 100 :][:100])[:10] for day in range(8)])
        caught = scored.labels[top] == 1
        assert of.precision_at_k == pytest.approx(caught.mean())
        assert of.money_saved == pytest.approx(scored.amounts[top][caught].sum() - 3 * 80)
        assert np.mean(of.lift) == pytest.approx(1)
        assert sum(part.weight for part in of.calibration) == 800
    assert found.together == found.views[-1].measures


def test_partners_add_what_lies_between_the_views(scored: EvaluationData) -> None:
    """Differences to the label party alone, within their intervals, beyond chance where they are large."""
    found = evaluation(scored, AlertTerms())
    assert [gain.name for gain in found.added] == ["+ telco", "together"]
    base = found.views[0].measures
    for gain, view in zip(found.added, found.views[1:], strict=True):
        assert gain.roc_auc.difference == view.measures.roc_auc - base.roc_auc
        assert gain.pr_auc.difference == view.measures.pr_auc - base.pr_auc
        assert 0 < gain.roc_auc.low < gain.roc_auc.difference < gain.roc_auc.high
    assert found.resamples == 1000


def test_the_threshold_of_least_cost_saves_most(scored: EvaluationData) -> None:
    """No other threshold on all parties' scores saves more."""
    best = evaluation(scored, AlertTerms(cost_of_alert=3.0)).least_cost
    assert best is not None
    saved = [
        scored.amounts[(scored.together >= score) & (scored.labels == 1)].sum()
        - 3 * (scored.together >= score).sum()
        for score in scored.together
    ]
    assert best.money_saved == pytest.approx(max(saved))
    assert best.alerts == (scored.together >= best.threshold).sum()
    assert evaluation(scored, AlertTerms()).least_cost is None


def test_what_is_not_given_is_left_out(scored: EvaluationData) -> None:
    """No money without amounts, and no calibration of margins; the JSON says so."""
    margins = {name: of * 9 - 5 for name, of in scored.scores.items()}
    found = evaluation(replace(scored, amounts=None, days=None, scores=margins), AlertTerms(cost_of_alert=1))
    of = found.together
    assert (of.money_saved, of.brier, of.calibration, found.days, found.least_cost) == (None,) * 5
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_weights_count_in_rankings_and_not_in_alerts(scored: EvaluationData) -> None:
    """A row of weight 2 counts twice among rows, but is one alert."""
    weights = np.random.default_rng(1).integers(1, 3, 800).astype(np.float32)
    weighted, plain = (
        evaluation(replace(scored, weights=of), AlertTerms()).together for of in (weights, None)
    )
    expected = metrics.roc_auc_score(scored.labels, scored.together, sample_weight=weights)
    assert weighted.roc_auc == pytest.approx(expected)
    assert (weighted.precision_at_k, weighted.money_saved) == (plain.precision_at_k, plain.money_saved)


def test_rows_of_one_label_cannot_be_ranked(scored: EvaluationData) -> None:
    """The message says what to look at."""
    with pytest.raises(DataError, match="both labels"):
        evaluation(replace(scored, labels=np.ones(800, np.float32)), AlertTerms())
