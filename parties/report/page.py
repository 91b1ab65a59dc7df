"""An evaluation as one HTML page that asks nothing of another host: it works offline and mailed."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from parties.label.evaluation import Evaluation
from parties.label.evaluation_data import EvaluationData
from parties.report import plots, tables
from parties.storage import database
from parties.storage.model_store import ModelRecord, headline
from parties.telemetry.versions import version_of
from vfl.evaluation.alerts import money_curve

TEMPLATE = "report.html"

COLOURS = {plots.PAPER: "--card", plots.INK: "--ink", plots.MUTED: "--muted", plots.GRID: "--grid"} | {
    colour: f"--series-{number + 1}" for number, colour in enumerate(plots.SERIES)
}
"""By colour of a plot the property of the page that takes its place, which dark mode sets anew."""


class Picture(NamedTuple):
    """A plot, and what somebody learns of it who does not see it."""

    svg: Markup
    caption: str


def render(evaluation: Evaluation, scored: EvaluationData, record: ModelRecord) -> str:
    """Return the page.

    Args:
        evaluation: of ``scored``.
        record: of the model.
    """
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)
    return template.render(
        evaluation=evaluation,
        summary=tables.summary(evaluation),
        population=tables.population(evaluation),
        least_cost=tables.least_cost(evaluation),
        measures=tables.measures(evaluation),
        added=tables.added(evaluation),
        lift=tables.lift(evaluation),
        calibration=tables.calibration(evaluation),
        pictures=_pictures(evaluation, scored),
        provenance=_provenance(evaluation, record),
    )


def _provenance(evaluation: Evaluation, record: ModelRecord) -> list[tuple[str, str]]:
    label_party = evaluation.views[0].name.removesuffix(" alone")
    kind = headline(record)
    return [
        ("model", f"{record.model}, trained {record.created}"),
        ("trained on", f"{record.rows:,} rows, {kind}, alignment {record.alignment}"),
        ("label party", label_party),
        ("partners", ", ".join(evaluation.views[-1].partners)),
        ("judged on", tables.population(evaluation)),
        ("written", database.now()),
        (
            "versions",
            ", ".join(f"{name} {version_of(name)}" for name in ("vfl", "scikit-learn", "matplotlib")),
        ),
    ]


def _pictures(evaluation: Evaluation, scored: EvaluationData) -> dict[str, Picture]:
    """Return the plots by section of the page; without what the rows do not allow."""
    first, last = evaluation.views[0], evaluation.views[-1]
    alone, together = first.measures, last.measures
    scores = {view.name: scored.scores[view.name] for view in (first, last)}
    labels, weights = scored.labels, scored.weights
    pictures = {
        "roc": _picture(
            "roc",
            plots.roc(labels, scores, weights),
            f"ROC curves: area {alone.roc_auc:.4f} alone, {together.roc_auc:.4f} together.",
        ),
        "pr": _picture(
            "pr",
            plots.precision_recall(labels, scores, weights),
            f"Precision over recall: area {alone.pr_auc:.4f} alone, {together.pr_auc:.4f} together.",
        ),
        "distribution": _picture(
            "distribution",
            plots.distribution(labels, scored.together),
            "How scores of all parties together spread over rows of each label; the axis is logarithmic.",
        ),
        "lift": _picture(
            "lift",
            plots.lift({first.name: alone.lift, last.name: together.lift}),
            f"Lift by tenth of the rows: in the top tenth label 1 is {together.lift[0]:.2f} times as "
            f"frequent as on average together, {alone.lift[0]:.2f} times alone.",
        ),
    }
    points = {
        view.name: ([part.predicted for part in bins], [part.observed for part in bins])
        for view in (first, last)
        if (bins := view.measures.calibration)
    }
    if together.calibration_error is not None:
        pictures["calibration"] = _picture(
            "calibration",
            plots.calibration(points),
            "Observed over predicted fraction of label 1, by tenth of rows; on the diagonal both are equal. "
            f"Mean gap {together.calibration_error:.4f} together.",
        )
    for measure, name in (("ROC-AUC", "roc_auc"), ("PR-AUC", "pr_auc")):
        pictures[f"gain-{name}"] = _picture(
            f"gain-{name}",
            plots.gains({gain.name: getattr(gain, name) for gain in evaluation.added}, measure),
            f"What partners add in {measure} over {first.name}, with 95% intervals.",
        )
    if scored.amounts is not None:
        pictures["money"] = _money(evaluation, scored)
    return pictures


def _money(evaluation: Evaluation, scored: EvaluationData) -> Picture:
    assert scored.amounts is not None  # noqa: S101  # looked at by the caller
    terms, days = evaluation.alert_terms, evaluation.days or 1
    views = (evaluation.views[0].name, evaluation.views[-1].name)
    saved = {}
    for name in views:
        alerts, money = money_curve(scored.labels, scored.scores[name], scored.amounts, terms.cost_of_alert)
        saved[name] = (alerts / days, money)
    per = "alerts" if evaluation.days is None else "alerts a day on average"
    caption = (
        f"Money saved over the number of alerts, at {terms.cost_of_alert:,g} an alert; the line marks the "
        f"{terms.alerts_per_day:,} that can be looked at."
    )
    return _picture("money", plots.money(saved, terms.alerts_per_day, per), caption)


def _picture(name: str, svg: str, caption: str) -> Picture:
    """Return a plot as part of a page: named, with ids of its own, in the page's colours and width."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, property_ in COLOURS.items():
        svg = svg.replace(colour, f"var({property_})")
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'(width|height)="[^"]*"', "", opening)
    title = f'<title id="{name}-title">{escape(caption)}</title>'
    svg = f'{opening} role="img" aria-labelledby="{name}-title">{title}{rest}'
    return Picture(Markup(svg), caption)  # noqa: S704  # drawn by matplotlib, which escapes what it writes
