"""Plots as SVG texts: drawn by matplotlib without its global state, to be read in any browser."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from parties.label.evaluation import Gain

Array = npt.NDArray[Any]

PAPER, INK, MUTED, GRID = "#fefefe", "#24292f", "#6a737d", "#d8dee4"
SERIES = ("#b35900", "#0a66a3", "#6b3fa0")
"""Colours: behind all, of text, of what is beside the point, of the grid, and of three sets in turn."""

DASHES = ("--", "-", ":")
"""Line styles of the sets, so that nothing hangs on colour."""

WIDTH, HEIGHT = 5.0, 3.6
"""Size of a plot in inches of 72 units; on a narrow phone a unit is a pixel."""

BARS = 30
"""Bars of a distribution."""

STYLE = {
    "svg.fonttype": "none",  # text stays text: it is read aloud, searched, and takes the page's font
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def roc(labels: Array, scores: Mapping[str, Array], weights: Array | None = None) -> str:
    """Return the ROC curves of up to three sets of scores [n]."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("false positive rate", "recall")
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
        for number, (name, ranked) in enumerate(scores.items()):
            false_positive, recall, _ = roc_curve(labels, ranked, sample_weight=weights)
            axes.plot(false_positive, recall, label=name, **_line(number))
        axes.legend(loc="lower right")
        return _svg("roc", figure)


def precision_recall(labels: Array, scores: Mapping[str, Array], weights: Array | None = None) -> str:
    """Return the precision-recall curves of up to three sets of scores [n]."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("recall", "precision")
        for number, (name, ranked) in enumerate(scores.items()):
            precision, recall, _ = precision_recall_curve(
                labels, ranked, sample_weight=weights, drop_intermediate=True
            )
            # The last point, of recall 0, belongs to no threshold.
            axes.step(recall[:-1], precision[:-1], where="pre", label=name, **_line(number))
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        return _svg("pr", figure)


def distribution(labels: Array, scores: Array) -> str:
    """Return how scores [n] spread over rows of either label, each as a fraction of its rows."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("score", "fraction of the label's rows")
        edges = np.histogram_bin_edges(scores, BARS)
        for number, value in enumerate((0, 1)):
            ranked = scores[labels == value]
            fraction = np.full(len(ranked), 1 / max(1, len(ranked)))
            axes.hist(
                ranked,
                edges.tolist(),
                weights=fraction,
                label=f"label {value}",
                histtype="step",
                **_line(number),
            )
        axes.set_yscale("log")
        axes.legend(loc="upper right")
        return _svg("distribution", figure)


def lift(lifts: Mapping[str, Sequence[float]]) -> str:
    """Return bars of lift by tenth of the rows, of up to three sets."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("tenth of rows, highest scores first", "lift")
        width = 0.8 / len(lifts)
        for number, (name, lift) in enumerate(lifts.items()):
            position = np.arange(len(lift)) + 1 + (number - (len(lifts) - 1) / 2) * width
            axes.bar(position, lift, width, label=name, color=SERIES[number], alpha=0.6 if number == 0 else 1)
        axes.axhline(1, color=MUTED, linewidth=1)
        axes.set_xticks(np.arange(1, 11))
        axes.grid(visible=False, axis="x")
        axes.legend(loc="upper right")
        return _svg("lift", figure)


def calibration(points: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Return observed over predicted fractions of label 1, for up to three sets."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("predicted", "observed")
        limit = max(float(np.max(axis)) for pair in points.values() for axis in pair) * 1.05
        axes.plot([0, limit], [0, limit], color=GRID, linewidth=1)
        for number, (name, (predicted, observed)) in enumerate(points.items()):
            axes.plot(predicted, observed, marker="so^"[number], markersize=4, label=name, **_line(number))
        axes.legend(loc="upper left")
        return _svg("calibration", figure)


def gains(added: Mapping[str, Gain], measure: str) -> str:
    """Return what each view adds in a measure, with its interval."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(f"added {measure}", "", height=1.1 + 0.35 * len(added))
        for place, gain in enumerate(added.values()):
            axes.plot(
                [gain.low, gain.high], [place, place], color=SERIES[1], linewidth=2, marker="|", markersize=9
            )
            axes.plot([gain.difference], [place], color=SERIES[1], marker="o", markersize=6)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(added)), list(added))
        axes.set_ylim(len(added) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        return _svg(f"gain-{measure}", figure)


def money(saved: Mapping[str, tuple[Array, Array]], budget: float, per: str) -> str:
    """Return the money saved over the number of alerts, for up to three sets.

    Args:
        saved: by set the number of alerts and the money that they save; shown well past its maximum.
        budget: the number of alerts to mark.
        per: what the numbers are, such as ``alerts a day``.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(per, "money saved")
        best = max(float(alerts[np.argmax(money)]) for alerts, money in saved.values())
        for number, (name, (alerts, money)) in enumerate(saved.items()):
            shown = alerts <= max(2 * budget, 1.5 * best)
            axes.plot(alerts[shown], money[shown], label=name, **_line(number))
        axes.axvline(budget, color=MUTED, linewidth=1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend(loc="lower right")
        return _svg("money", figure)


def _line(number: int) -> dict[str, Any]:
    return {"color": SERIES[number], "linestyle": DASHES[number]}


def _axes(x: str, y: str, *, height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes: Axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _svg(name: str, figure: Figure) -> str:
    """Return the figure as SVG, the same bytes for the same plot; its ids start with the name."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
