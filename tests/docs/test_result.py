"""The result that README.md shows, against the report of a run of ``vfl demo --json FILE``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
LINES = {
    "alone": "the bank alone",
    "together": "the three together, encrypted",
    "pooled": "all columns in one table, with xgboost",
}

pytestmark = pytest.mark.skipif(
    "VFL_DEMO_REPORT" not in os.environ, reason="VFL_DEMO_REPORT does not name the report of a demo"
)


@pytest.fixture
def report() -> Any:
    """The report that VFL_DEMO_REPORT names."""
    return json.loads(Path(os.environ["VFL_DEMO_REPORT"]).read_text(encoding="utf-8"))


@pytest.mark.parametrize("who", LINES)
def test_the_readme_shows_what_the_demo_finds(report: Any, who: str) -> None:
    """Every figure of the README's result is the demo's, as rounded there."""
    found = report["quality"][who]
    figures = f"{found['roc_auc']:.4f} | {found['pr_auc']:.4f} | {found['recall_at_1_percent_fpr']:.0%}"
    assert f"| {LINES[who]} | {figures} |" in README


def test_the_demos_trees_are_those_of_pooled_xgboost(report: Any) -> None:
    """The main job trains the trees that it promises."""
    assert report["identical_trees"]


@pytest.mark.skipif(os.environ.get("VFL_NATIVE") != "1", reason="nobody asked for the native kernel")
def test_the_installed_package_runs_the_native_kernel(report: Any) -> None:
    """The compiled kernel is in the package as it is installed, not only in the checkout."""
    assert report["kernel"].startswith("native")
