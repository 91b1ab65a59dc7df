"""How training grows with its size: ``python -m benchmarks.scaling --svg scaling.svg``.

One tree of depth 5 on made columns (independent and continuous: little for joint cells to gain), parties in
processes of their own over HTTPS on this machine. From a base of 30,000 rows, one partner with 20 columns,
32 bins and a 2048-bit key, one thing at a time is varied.
"""

from __future__ import annotations

import json
import math
import operator
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.kernel import machine
from scenarios.consortium import Consortium, Institution
from scenarios.run import options
from vfl.algorithms.trees.params import TreeParams

OWN_COLUMNS = 5


class Size(NamedTuple):
    """One measurement. ``parties`` counts the label party."""

    rows: int = 30_000
    columns: int = 20
    bins: int = 32
    parties: int = 2
    key_bits: int = 2048


BASE = Size()
VARIED: dict[str, tuple[int, ...]] = {
    "rows": (10_000, 30_000, 100_000, 300_000, 1_000_000),
    "columns": (5, 10, 20, 40, 80),
    "bins": (16, 32, 64, 128, 256),
    "parties": (2, 3, 4),
    "key_bits": (2048, 3072),
}


def sizes(names: Iterable[str], most_rows: int) -> list[Size]:
    """Return every size to measure, the base once."""
    varied = [BASE._replace(**{name: value}) for name in names for value in VARIED[name]]
    return [size for size in dict.fromkeys(varied) if size.rows <= most_rows]


def measure(size: Size, directory: Path, repeats: int) -> dict[str, Any]:
    """Train one tree of this size several times and return what it took: the median of the times."""
    rng = np.random.default_rng(0)
    ids = pd.Series([f"{row:08d}" for row in range(size.rows)], name="id")
    names = [f"partner{number}" for number in range(1, size.parties)]
    own = rng.standard_normal((size.rows, OWN_COLUMNS), dtype=np.float32)
    signal = own[:, :3].sum(axis=1) + rng.standard_normal(size.rows)
    for name in names:
        values = rng.standard_normal((size.rows, size.columns), dtype=np.float32)
        signal += values[:, :3].sum(axis=1)
        _table(ids, values).to_parquet(directory / f"{name}.parquet", index=False)
    labelled = _table(ids, own).assign(y=(signal > 1).astype(np.int8))
    labelled.to_parquet(directory / "bank.parquet", index=False)
    parts = [Institution(name, directory / f"{name}.parquet", "id", recipe="strip") for name in names]
    bank = Institution("bank", directory / "bank.parquet", "id", recipe="strip", label="y")
    consortium = Consortium(directory, [bank, *parts], size.key_bits)
    params = TreeParams(n_estimators=1, max_depth=5, max_bin=size.bins)
    consortium.set_up()
    with consortium.serving():
        consortium.run("align", "bank")
        before = consortium.traffic()
        said = [
            consortium.run("train", "bank", "--model", f"m{number}", *options(params), "--json")
            for number in range(repeats)
        ]
        after = consortium.traffic()
    moved = [after[name][key] - before[name][key] for name in names for key in after[name]]
    return {
        **size._asdict(),
        "train_seconds": statistics.median(json.loads(each)["seconds"] for each in said),
        "bytes_per_row": sum(moved) / repeats / size.rows,
        "peak_rss_mb": {name: round(peak) for name, peak in consortium.peak_mb.items()},
    }


def _table(ids: pd.Series, values: npt.NDArray[np.float32]) -> pd.DataFrame:
    return pd.concat([ids, pd.DataFrame(values).add_prefix("x")], axis=1)


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the measurements as a table."""
    lines = ["| rows | partner columns | bins | parties | key | seconds a tree | bytes a row | peak memory |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    lines += [
        f"| {r['rows']:,} | {r['columns']} | {r['bins']} | {r['parties']} | {r['key_bits']} "
        f"| {r['train_seconds']:.2f} | {r['bytes_per_row']:,.0f} | {max(r['peak_rss_mb'].values()):,} MB |"
        for r in results
    ]
    return "\n".join(lines)


def plot(results: list[dict[str, Any]]) -> str:
    """Return an SVG with a panel for each thing that was varied: seconds a tree, both axes logarithmic."""
    side, gap = 170, 60
    panels = [name for name in VARIED if any(r[name] != getattr(BASE, name) for r in results)]
    width, height = gap + len(panels) * (side + gap), side + 2 * gap
    top = math.ceil(math.log10(max(r["train_seconds"] for r in results)))
    low = math.floor(math.log10(min(r["train_seconds"] for r in results)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11" text-anchor="middle">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2:.0f}" y="24" font-size="13">seconds for one tree</text>',
    ]
    for number, name in enumerate(panels):
        left = gap + number * (side + gap)
        others = {key: value for key, value in BASE._asdict().items() if key != name}
        shown = [r for r in results if all(r[key] == value for key, value in others.items())]
        shown.sort(key=operator.itemgetter(name))
        first, last = math.log(shown[0][name]), math.log(shown[-1][name])
        at = [
            (
                left + side * (math.log(r[name]) - first) / (last - first),
                gap + side * (top - math.log10(r["train_seconds"])) / (top - low),
            )
            for r in shown
        ]
        parts.append(f'<rect x="{left}" y="{gap}" width="{side}" height="{side}" fill="none" stroke="#999"/>')
        parts += [
            f'<text x="{left - 18}" y="{gap + side * (top - p) / (top - low) + 4:.0f}">{10.0**p:g} s</text>'
            for p in range(low, top + 1)
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{points}" fill="none" stroke="#1f6f8b" stroke-width="2"/>')
        for (x, y), r in zip(at, shown, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1f6f8b"/>')
            parts.append(f'<text x="{x:.0f}" y="{gap + side + 16}">{_short(r[name])}</text>')
        parts.append(f'<text x="{left + side / 2:.0f}" y="{gap + side + 38}">{name.replace("_", " ")}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _short(value: int) -> str:
    for unit, name in ((10**6, "M"), (1_000, "k")):
        if value >= unit and value % unit == 0:
            return f"{value // unit}{name}"
    return str(value)


@click.command(epilog="Example:\n\n  python -m benchmarks.scaling --vary rows --most-rows 100000")
@click.option("--vary", multiple=True, type=click.Choice(list(VARIED)), help="What to vary; all by default.")
@click.option("--most-rows", type=int, default=1_000_000, show_default=True, help="Leave out larger tables.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Trainings a size.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the measurements there.")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw them there.")
def main(vary: tuple[str, ...], most_rows: int, repeats: int, file: Path | None, svg: Path | None) -> None:
    """Measure one tree over rows, columns, bins, parties and key lengths."""
    results = []
    for size in sizes(vary or VARIED, most_rows):
        with tempfile.TemporaryDirectory(prefix="vfl-") as directory:
            results.append(measure(size, Path(directory), repeats))
        click.echo(json.dumps(results[-1]), err=True)
    click.echo(markdown(results))
    if file is not None:
        file.write_text(json.dumps({"machine": machine(0, 1), "results": results}, indent=2) + "\n")
    if svg is not None:
        svg.write_text(plot(results))


if __name__ == "__main__":
    main()
