"""What the API answered against the merged model: scores bit for bit, contributions, and decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xgboost

from scenarios import pooled_table
from scenarios.api_report import Decisions
from scenarios.client import Keys
from scenarios.run import Run, Step
from scenarios.serving_steps import (
    ANSWER,
    ANSWERS,
    EVALUATE,
    EXPLAIN,
    LOSE_PARTNER,
    PUBLISH,
    REASONS,
    REPORT,
    SERVE,
    records_of,
)
from scenarios.training_steps import (
    ALIGN,
    AUDIT,
    CURVES,
    EXPORT,
    EXPORTED,
    JUDGE,
    SCORE,
    SCORES,
    SET_UP,
    TRAIN,
)
from vfl.arrays import Float32


def _compare(run: Run) -> None:
    home = run.consortium.directory
    test = pooled_table.scored(run.consortium, home / run.test)
    model = xgboost.XGBClassifier()
    model.load_model(home / EXPORTED)
    row_of = {_key(keys): row for row, keys in enumerate(records_of(run))}
    replies = json.loads((home / ANSWERS).read_bytes())
    answers = replies["batch"] + replies["alone"]
    rows = np.array([row_of[_key(answer["keys"])] for answer in answers])
    of_api = np.array([answer["score"] for answer in answers], dtype=np.float32)
    batch = pooled_table.read_scores(home / SCORES)
    merged = model.predict_proba(test.columns)[:, 1]
    run.results |= {
        "parity_rows": len(set(rows.tolist())),
        "parity_max_abs_diff": _largest([batch[rows], of_api, merged[rows]]),
        "decisions": _decisions(replies, test.labels),
        "files": {"report": REPORT, "roc": CURVES},
    }
    explained = json.loads((home / REASONS).read_bytes())
    ours = np.array([_contributions(answer, test.names) for answer in explained])
    columns = test.columns[[row_of[_key(answer["keys"])] for answer in explained]]
    theirs = model.get_booster().predict(
        xgboost.DMatrix(columns), pred_contribs=True, validate_features=False
    )
    run.results |= {
        "reasons_rows": len(explained),
        "reasons_max_abs_diff": float(np.abs(ours - theirs).max()),
    }


def _largest(scores: Sequence[Float32]) -> float:
    """Return the largest difference of any two sets of scores [n]."""
    return max(float(np.abs(one.astype(np.float64) - other).max()) for one, other in combinations(scores, 2))


def _key(keys: Keys) -> tuple[str, ...]:
    return tuple(keys.values())


def _contributions(answer: dict[str, Any], names: Sequence[tuple[str, str]]) -> list[float]:
    """Return the contribution of every column, and the margin before any; what is not among them is 0.

    Raises:
        ValueError: a reason is of a column that nobody has.
    """
    contributions = {
        (reason["party"], reason["name"]): reason["contribution"] for reason in answer["reasons"]
    }
    if not contributions.keys() <= set(names):
        raise ValueError("a reason is of a column that nobody has")
    return [*(contributions.get(name, 0.0) for name in names), answer["base"]]


def _decisions(replies: dict[str, Any], labels: Float32) -> Decisions:
    """Count what the threshold makes of the test rows, whose answers [n] in batches are in their order."""
    alert = np.array([answer["decision"] == "alert" for answer in replies["batch"]])
    threshold = replies["threshold"]
    return Decisions(
        rule=threshold["rule"],
        threshold=threshold["joint"],
        version=threshold["version"],
        alerts=int(alert.sum()),
        caught=int(labels[alert].sum()),
        fraud=int(labels.sum()),
    )


COMPARE = Step(
    "compare", "the API's answers against the merged model: not one bit may differ", _compare, False
)

STEPS = (
    SET_UP,
    ALIGN,
    TRAIN,
    SCORE,
    EXPORT,
    EVALUATE,
    PUBLISH,
    SERVE,
    ANSWER,
    EXPLAIN,
    LOSE_PARTNER,
    AUDIT,
    JUDGE,
    COMPARE,
)
"""A whole scenario that serves its model."""


def next_steps(run: Run) -> str:
    """Return what the reader can do next with a directory that is kept."""
    home, names = run.consortium.directory, [part.name for part in run.consortium.features]
    return "\n".join(
        [
            f"\nEvaluation: {home / REPORT}\nROC curves: {home / CURVES}",
            "\nGo on with the same institutions, and repeat the request above:\n",
            f"  cd {home}",
            *(f"  vfl party serve {name} &" for name in (*names, run.label)),
        ]
    )
