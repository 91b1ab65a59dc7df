"""An evaluation as tables of text, the same on a terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vfl.evaluation.bootstrap import LEVEL

if TYPE_CHECKING:  # commands that print a table need not wait for what evaluations import
    from parties.label.evaluation import Evaluation, Gain, Measures

ROWS_ARE = {
    "validation": "kept out of training",
    "training": "those of training, on which every model looks better than it is",
    "source": "of a labelled file",
}
"""What the rows of an evaluation are, in words."""


class Table(NamedTuple):
    """A heading and lines under it, of one length; the first cell of a line says what it is about."""

    heading: list[str]
    lines: list[list[str]]

    def to_text(self) -> str:
        """Return the table in aligned columns."""
        return table(self.heading, self.lines)


def measures(evaluation: Evaluation) -> Table:
    """Return every measure by view."""
    return Table(
        ["", *(view.name for view in evaluation.views)],
        [
            [label, *(written(view.measures) for view in evaluation.views)]
            for label, written in _measures(evaluation)
        ],
    )


def added(evaluation: Evaluation) -> Table:
    """Return what partners add over the label party alone."""
    return Table(
        ["", "ROC-AUC", f"{LEVEL:.0%} interval", "PR-AUC", f"{LEVEL:.0%} interval"],
        [[gain.name, *_gain(gain.roc_auc), *_gain(gain.pr_auc)] for gain in evaluation.added],
    )


def lift(evaluation: Evaluation) -> Table:
    """Return lift by tenth of the rows, the label party alone beside all together."""
    ends = (evaluation.views[0], evaluation.views[-1])
    return Table(
        ["tenth of rows", *(view.name for view in ends)],
        [
            [f"{tenth + 1}", *(f"{view.measures.lift[tenth]:.2f}" for view in ends)]
            for tenth in range(len(evaluation.together.lift))
        ],
    )


def calibration(evaluation: Evaluation) -> Table:
    """Return what was predicted and observed together, by tenth of the rows; no line for mere margins."""
    bins = evaluation.together.calibration or []
    return Table(
        ["rows", "predicted", "observed"],
        [[f"{part.weight:,.6g}", f"{part.predicted:.4f}", f"{part.observed:.4f}"] for part in bins],
    )


def summary(evaluation: Evaluation) -> str:
    """Return the sentence that somebody reads who reads only one."""
    alone, together, all_added = evaluation.views[0], evaluation.views[-1], evaluation.added[-1].pr_auc
    before, after = (view.measures.recall_at_fpr["1%"] for view in (alone, together))
    if all_added.low > 0:
        verdict = "the gain in PR-AUC is beyond chance"
    elif all_added.high < 0:
        verdict = "PR-AUC is lower than alone beyond chance"
    else:
        verdict = "no difference in PR-AUC beyond chance is shown on these rows"
    return (
        f"With one false alarm in 100 rows of label 0, {before:.1%} of label 1 is found by {alone.name} and "
        f"{after:.1%} together; {verdict}."
    )


def to_text(evaluation: Evaluation) -> str:
    """Return all of an evaluation but lift and calibration by tenth, for a terminal."""
    over = evaluation.views[0].name
    blocks = [
        f"Model {evaluation.model} on {population(evaluation)}",
        measures(evaluation).to_text(),
        f"What partners add over {over}, {evaluation.resamples:,} bootstrap resamples of the rows",
        added(evaluation).to_text(),
    ]
    if evaluation.least_cost is not None:
        blocks.append(least_cost(evaluation))
    return "\n\n".join([*blocks, summary(evaluation)])


def population(evaluation: Evaluation) -> str:
    """Return which rows were judged, and how many."""
    days = "" if evaluation.days is None else f" of {evaluation.days:,} days"
    return (
        f"{evaluation.rows:,} rows{days}, {evaluation.positives:,} of label 1 "
        f"({evaluation.positives / evaluation.rows:.2%}); {ROWS_ARE[evaluation.rows_are]}"
    )


def least_cost(evaluation: Evaluation) -> str:
    """Return the threshold that saves most, in words; empty where there is none."""
    best = evaluation.least_cost
    if best is None:
        return ""
    return (
        f"At {evaluation.alert_terms.cost_of_alert:,g} an alert, scores from {best.threshold:.6g} up save "
        f"most: {best.money_saved:,.0f} with {best.alerts:,} alerts."
    )


def table(heading: Sequence[str], lines: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Return lines under a heading in aligned columns: so many to the left, and the others to the right."""
    widths = [max(len(line[column]) for line in (heading, *lines)) for column in range(len(heading))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (heading, rule, *lines)
    )


def _measures(evaluation: Evaluation) -> list[tuple[str, Callable[[Measures], str]]]:
    terms, per_day = evaluation.alert_terms, evaluation.days is not None
    budget = f"{terms.alerts_per_day:,} alerts a day" if per_day else f"the top {terms.alerts_per_day:,}"
    rows: list[tuple[str, Callable[[Measures], str]]] = [
        ("ROC-AUC", lambda measures: f"{measures.roc_auc:.4f}"),
        ("PR-AUC", lambda measures: f"{measures.pr_auc:.4f}"),
        ("KS", lambda measures: f"{measures.ks:.4f}"),
    ]
    for rate in evaluation.together.recall_at_fpr:
        rows.append((f"recall at {rate} FPR", lambda m, rate=rate: f"{m.recall_at_fpr[rate]:.4f}"))  # type: ignore[misc]
    rows.append((f"precision at {budget}", lambda measures: f"{measures.precision_at_k:.4f}"))
    if evaluation.together.money_saved is not None:
        rows.append((f"money saved at {budget}", lambda measures: f"{measures.money_saved:,.0f}"))
    rows.append(("lift of the top tenth", lambda measures: f"{measures.lift[0]:.2f}"))
    if evaluation.together.brier is not None:
        rows.append(("calibration error", lambda measures: f"{measures.calibration_error:.4f}"))
        rows.append(("Brier score", lambda measures: f"{measures.brier:.4f}"))
    return rows


def _gain(gain: Gain) -> tuple[str, str]:
    return f"{gain.difference:+.4f}", f"{gain.low:+.4f} to {gain.high:+.4f}"
