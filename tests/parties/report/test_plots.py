"""Plots are well-formed SVG of their own: text as text, the same bytes each time, no global state left."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from matplotlib._pylab_helpers import Gcf

from parties.label.evaluation import Gain
from parties.report import plots

LABELS = np.array([0, 0, 1, 1], dtype=np.float32)


def told(svg: str) -> set[str | None]:
    return {text.text for text in ElementTree.fromstring(svg).findall(".//{*}text")}


def test_a_perfect_score_draws_the_corner() -> None:
    """A ROC curve goes from the origin up to the corner, then to the right."""
    drawn = ElementTree.fromstring(plots.roc(LABELS, {"perfect": LABELS}))
    paths = [path for path in drawn.findall(".//{*}path") if plots.SERIES[0] in path.get("style", "")]
    (x0, y0), *_, (x1, y1), (x2, y2) = (
        tuple(map(float, point)) for point in re.findall(r"[ML] (\S+) (\S+)", paths[0].get("d", ""))
    )
    assert (x0, y1) == (x1, y2)
    assert x2 > x0
    assert y1 < y0  # SVG counts downwards


def test_every_plot_is_well_formed_and_names_its_sets() -> None:
    """Each kind of plot parses as XML and carries its legend as text."""
    scores = np.array([0.1, 0.6, 0.4, 0.9], dtype=np.float32)
    both = {"alone": scores, "together": LABELS}
    lifts = {"alone": [1.0] * 10, "together": [10.0] + [0.0] * 9}
    drawn = [
        plots.roc(LABELS, both),
        plots.precision_recall(LABELS, both),
        plots.lift(lifts),
        plots.calibration({"alone": ([0.1, 0.5], [0.0, 0.6]), "together": ([0.2], [0.1])}),
        plots.money({name: (np.arange(4), np.arange(4) * 2.0) for name in both}, 2, "alerts"),
    ]
    for svg in drawn:
        assert {"alone", "together"} <= told(svg)
    assert {"label 0", "label 1"} <= told(plots.distribution(LABELS, scores))
    assert {"+ telco", "added KS"} <= told(plots.gains({"+ telco": Gain(0.1, 0.0, 0.2)}, "KS"))


def test_drawing_leaves_no_trace() -> None:
    """The same plot is the same bytes; settings stay as they were, and pyplot holds no figure."""
    before = dict(mpl.rcParams)
    assert plots.roc(LABELS, {"a": LABELS}) == plots.roc(LABELS, {"a": LABELS})
    assert dict(mpl.rcParams) == before
    assert Gcf.figs == {}
