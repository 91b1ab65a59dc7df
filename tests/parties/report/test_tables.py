"""Tables for a terminal: aligned, complete, and what the numbers say."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from parties.label.evaluation import AlertTerms, Evaluation, Gain, evaluation
from parties.label.evaluation_data import EvaluationData
from parties.report import tables


def test_columns_are_aligned() -> None:
    """Texts to the left, numbers to the right."""
    text = tables.table(["", "alone"], [["KS", "0.1"], ["ROC-AUC", "12.25"]])
    assert text.splitlines() == ["         alone", "-------  -----", "KS         0.1", "ROC-AUC  12.25"]


def test_every_measure_of_every_view_is_told(found: Evaluation) -> None:
    """A column for each view, a line for each measure, in the numbers of the evaluation."""
    told = tables.measures(found)
    assert told.heading == ["", "bank alone", "+ telco", "+ shop", "together"]
    lines = {line[0]: line[1:] for line in told.lines}
    assert lines["ROC-AUC"] == [f"{view.measures.roc_auc:.4f}" for view in found.views]
    assert lines["recall at 0.5% FPR"] == [
        f"{view.measures.recall_at_fpr['0.5%']:.4f}" for view in found.views
    ]
    assert lines["money saved at 4 alerts a day"][-1] == f"{found.together.money_saved:,.0f}"
    assert len(lines) == 13
    assert all(len(line) == 5 for line in told.lines)


def test_the_text_has_every_table_and_ends_with_its_sum(found: Evaluation) -> None:
    """What one reads first on a terminal is its last line."""
    text = tables.to_text(found)
    assert tables.measures(found).to_text() in text
    assert tables.added(found).to_text() in text
    assert tables.least_cost(found) in text
    assert text.endswith(tables.summary(found))
    assert "1,500 rows of 15 days" in text


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "beyond chance"), (-0.1, 0.3, "no difference"), (-0.3, -0.1, "lower")],
)
def test_the_summary_claims_no_more_than_the_interval(
    found: Evaluation, low: float, high: float, verdict: str
) -> None:
    """A gain whose interval holds 0 is not told as one."""
    last = msgspec.structs.replace(found.added[-1], pr_auc=Gain(0.0, low, high))
    assert verdict in tables.summary(msgspec.structs.replace(found, added=[last]))


def test_what_is_not_known_has_no_line(bare: EvaluationData) -> None:
    """Without amounts, days and probabilities there is no money, no day and no calibration."""
    text = tables.to_text(evaluation(bare, AlertTerms()))
    assert "precision at the top 50" in text
    for absent in ("money", "days", "calibration", "Brier", "save"):
        assert absent not in text


def test_rows_of_training_are_told_as_such(scored: EvaluationData) -> None:
    """Nobody takes training rows for a proof."""
    assert "better than it is" in tables.population(
        evaluation(replace(scored, rows_are="training"), AlertTerms())
    )
