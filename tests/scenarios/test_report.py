"""The report: what a reader and a program are told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scenarios.report import Audited, Quality, Report, Traffic, explain, quality, size
from vfl.algorithms.trees.compare import Choice, Difference
from vfl.algorithms.trees.disclosure_control import DisclosureReport

TIE = Difference(2, (1, 1), Choice(4, 1.5, True, 10.0), Choice(5, 2.5, True, 10.0))
REAL = Difference(0, (3, 3), Choice(4, 1.5, True, 10.0), Choice(None, 0.25, False, 0.0))


def report(**changes) -> Report:
    same = Quality(0.75, 0.5, 0.4, 0.1, 0.3)
    facts = {
        "title": "A title",
        "rows": {"training": 1_000, "test": 500, "test_known": 400},
        "auc": {"alone": 0.7, "together": 0.75, "pooled": 0.75},
        "auc_known": {"alone": 0.7, "together": 0.77, "pooled": 0.77},
        "quality": {"alone": Quality(0.7, 0.4, 0.3, 0.05, 0.2), "together": same, "pooled": same},
        "identical_trees": True,
        "disclosure": {},
        "differences": [],
        "train_seconds": 3.25,
        "phases": {"align": 1.5, "train": 3.75},
        "bytes_sent": 1_500_000,
        "bytes_received": 999,
        "partners": {"telco": Traffic(1_500_000, 999)},
        "ledgers": {
            "bank": Audited(1_310, "ab" * 32, 10, []),
            "telco": Audited(655, "cd" * 32, 4, ["broken-off"]),
        },
        "peak_rss_mb": {"bank": 300.4, "telco": 280.0},
        "key_bits": 2048,
        "kernel": "reference",
        "threads": 2,
    }
    return Report(**facts | changes)


def test_json_has_the_promised_keys() -> None:
    """A program finds the figures under their names."""
    told = json.loads(report().to_json())
    assert told["auc"] == {"alone": 0.7, "together": 0.75, "pooled": 0.75}
    assert told["identical_trees"] is True
    assert told["partners"]["telco"] == {"bytes_sent": 1_500_000, "bytes_received": 999}
    assert told["ledgers"]["telco"] == {
        "entries": 655,
        "head": "cd" * 32,
        "signed": 4,
        "unsigned": ["broken-off"],
    }
    assert {"train_seconds", "bytes_sent", "bytes_received", "peak_rss_mb", "key_bits", "kernel"} <= set(told)


def test_text_tells_every_table() -> None:
    """A reader sees quality, phases, traffic by partner, memory by party, and the verdict."""
    text = report().to_text()
    assert "together   0.7500  0.5000  0.4000" in text
    assert "telco  1.5 MB     999 B" in text
    assert "bank       300 MiB           1,310                   10" in text
    assert "every ledger verified" in text
    assert "trees identical to pooled xgboost: yes\n" in text
    assert "5% found alone, 10% together" in text


def test_ties_count_as_identical_and_are_shown() -> None:
    """Where the trees part only at ties the verdict is yes, and every tie is told."""
    text = report(differences=[explain(TIE)]).to_text()
    assert "identical to pooled xgboost: yes, up to ties:\n  tree 2, node 1: column 4 below 1.5" in text
    assert explain(TIE).endswith("a tie")


def test_real_differences_are_shown() -> None:
    """Where the trees really differ the verdict is no, and the node is told."""
    text = report(identical_trees=False, differences=[explain(REAL)]).to_text()
    assert "identical to pooled xgboost: no\n  tree 0, node 3" in text
    assert explain(REAL).endswith("leaf 0.25 pooled: a real difference")


def test_what_guards_changed_is_told() -> None:
    """Who reads that trees differ reads of the partners whose guards held something back."""
    disclosure = {"telco": DisclosureReport(2, 1), "payments": DisclosureReport(0, 0)}
    text = report(identical_trees=False, differences=[explain(REAL)], disclosure=disclosure).to_text()
    assert "disclosure control of telco: 2 columns coarser, sums of 1 nodes withheld" in text
    assert "payments:" not in text.split("identical to pooled")[1]


def test_a_missing_tree_is_told() -> None:
    """A tree that only one model has is named so."""
    assert "no tree pooled" in explain(Difference(5, (0, 0), Choice(None, 0.5, False, 0.0), None))


def test_quality_is_that_of_scikit_learn() -> None:
    """ROC-AUC is scikit-learn's, and recall at a false positive rate is counted by hand."""
    labels = np.array([0, 0, 0, 0, 1, 1, 0, 1], dtype=np.float32)
    scores = np.array([0.1, 0.2, 0.3, 0.8, 0.7, 0.9, 0.05, 0.4], dtype=np.float32)
    measured = quality(labels, scores)
    assert measured.roc_auc == pytest.approx(roc_auc_score(labels, scores))
    assert measured.recall_at_1_percent_fpr == pytest.approx(1 / 3)  # only 0.9 lies above every good customer


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e6, "2.0 MB"), (3.2e12, "3,200.0 GB")],
)
def test_sizes_have_a_unit(count: float, text: str) -> None:
    """Bytes are told in the largest unit that leaves at least 1."""
    assert size(count) == text
