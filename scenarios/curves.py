"""ROC curves as a picture that any browser opens, drawn without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.metrics import auc, roc_curve

from scenarios.pooled import Float32

SIDE, MARGIN = 420, 50
"""Side of the square of the curves and space around it, in pixels."""

STYLES = ("#b0413e", "#1f6f8b", "#222222")
"""Colours of the curves in turn; the last one is drawn dashed, for it often lies on the one before."""


def roc_svg(labels: Float32, scores: Mapping[str, Float32], title: str) -> str:
    """Return an SVG of the ROC curve of each set of scores [n]; at most as many as there are styles."""
    size = SIDE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="sans-serif">',
        f'<rect width="{size}" height="{size}" fill="white"/>',
        _text(size / 2, MARGIN / 2, title, 11),
        _text(size / 2, size - 10, "false positive rate", 12),
        f'<g transform="rotate(-90)">{_text(-size / 2, 18, "recall", 12)}</g>',
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>',
    ]
    for share in (0.0, 0.5, 1.0):
        x, y = _place(share, share)
        parts += [_text(x, size - MARGIN + 16, f"{share:g}", 11), _text(MARGIN - 14, y + 4, f"{share:g}", 11)]
    for number, (name, of) in enumerate(scores.items()):
        false_positive, recall, _ = roc_curve(labels, of)
        colour, last = STYLES[number], number == len(STYLES) - 1
        points = " ".join(
            "{:.1f},{:.1f}".format(*_place(*at)) for at in zip(false_positive, recall, strict=True)
        )
        line = f'fill="none" stroke="{colour}" stroke-width="2"' + (' stroke-dasharray="3 5"' if last else "")
        area = auc(false_positive, recall)
        parts.append(f'<polyline points="{points}" {line}/>')
        parts.append(_text(size - 130, size - MARGIN - 60 + 20 * number, f"{name} {area:.4f}", 13, colour))
    return "\n".join([*parts, "</svg>\n"])


def _place(false_positive: float, recall: float) -> tuple[float, float]:
    return MARGIN + SIDE * false_positive, MARGIN + SIDE * (1 - recall)


def _text(x: float, y: float, text: str, size: int, colour: str = "#222222") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="middle" fill="{colour}">{text}</text>'
    )
