"""The result that README.md shows, against the report of a run of ``vfl demo --json FILE``."""

from __future__ import annotations

import json
import os
import re
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
def test_the_readme_shows_about_what_the_demo_finds(report: Any, who: str) -> None:
    """Figures of the README are about the demo's: the secret order of rows, new in each run, moves them."""
    shown = re.search(rf"^\| {LINES[who]} \| (\S+) \| (\S+) \| (\d+)% \|$", README, re.MULTILINE)
    assert shown
    found = report["quality"][who]
    assert float(shown[1]) == pytest.approx(found["roc_auc"], abs=0.05)
    assert float(shown[2]) == pytest.approx(found["pr_auc"], abs=0.05)
    assert int(shown[3]) / 100 == pytest.approx(found["recall_at_1_percent_fpr"], abs=0.12)


def test_the_demos_trees_are_those_of_pooled_xgboost(report: Any) -> None:
    """The main job trains the trees that it promises, and so scores as pooled columns would."""
    assert report["identical_trees"]
    assert report["quality"]["together"] == report["quality"]["pooled"]


@pytest.mark.skipif(os.environ.get("VFL_NATIVE") != "1", reason="nobody asked for the native kernel")
def test_the_installed_package_runs_the_native_kernel(report: Any) -> None:
    """The compiled kernel is in the package as it is installed, not only in the checkout."""
    assert report["kernel"].startswith("native")
