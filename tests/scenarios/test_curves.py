"""The picture of ROC curves."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from scenarios.curves import MARGIN, SIDE, roc_svg


def test_a_perfect_score_draws_the_corner() -> None:
    """A curve goes from the origin through the upper left corner to the upper right one."""
    labels = np.array([0, 0, 1, 1], dtype=np.float32)
    picture = ElementTree.fromstring(roc_svg(labels, {"alone": labels, "together": 1 - labels}, "A title"))
    lines = picture.findall("{*}polyline")
    low, high = MARGIN, MARGIN + SIDE
    assert lines[0].get("points").split() == [f"{low}.0,{high}.0", f"{low}.0,{low}.0", f"{high}.0,{low}.0"]
    assert len(lines) == 2
    told = [text.text for text in picture.findall(".//{*}text")]
    assert {"A title", "alone 1.0000", "together 0.0000"} <= set(told)
