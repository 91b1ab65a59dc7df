"""What the API answered against the merged model: scores bit for bit, contributions, and decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xgboost

from scenarios import pooled
from scenarios.client import Keys
from scenarios.pooled import Float32
from scenarios.served import Decisions
from scenarios.serving import (
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
from scenarios.story import Phase, Story
from scenarios.training import ALIGN, AUDIT, CURVES, EXPORT, EXPORTED, JUDGE, SCORE, SCORES, SET_UP, TRAIN


def _compare(story: Story) -> None:
    home = story.consortium.directory
    test = pooled.scored(story.consortium, home / story.test)
    model = xgboost.XGBClassifier()
    model.load_model(home / EXPORTED)
    row_of = {_key(keys): row for row, keys in enumerate(records_of(story))}
    told = json.loads((home / ANSWERS).read_bytes())
    answers = told["batch"] + told["alone"]
    at = np.array([row_of[_key(answer["keys"])] for answer in answers])
    of_api = np.array([answer["score"] for answer in answers], dtype=np.float32)
    batch = pooled.written(home / SCORES)
    merged = model.predict_proba(test.columns)[:, 1]
    story.found |= {
        "parity_rows": len(set(at.tolist())),
        "parity_max_abs_diff": _largest([batch[at], of_api, merged[at]]),
        "decisions": _decisions(told, test.labels),
        "files": {"report": REPORT, "roc": CURVES},
    }
    explained = json.loads((home / REASONS).read_bytes())
    ours = np.array([_contributions(answer, test.names) for answer in explained])
    columns = test.columns[[row_of[_key(answer["keys"])] for answer in explained]]
    theirs = model.get_booster().predict(
        xgboost.DMatrix(columns), pred_contribs=True, validate_features=False
    )
    story.found |= {
        "reasons_rows": len(explained),
        "reasons_max_abs_diff": float(np.abs(ours - theirs).max()),
    }


def _largest(scores: Sequence[Float32]) -> float:
    """Return the largest difference of any two sets of scores [n]."""
    return max(float(np.abs(one.astype(np.float64) - other).max()) for one, other in combinations(scores, 2))


def _key(keys: Keys) -> tuple[str, ...]:
    return tuple(keys.values())


def _contributions(answer: dict[str, Any], names: Sequence[tuple[str, str]]) -> list[float]:
    """Return the contribution of every column, and the margin before any; what was not told is 0.

    Raises:
        ValueError: a reason is of a column that nobody has.
    """
    told = {(reason["party"], reason["name"]): reason["contribution"] for reason in answer["reasons"]}
    if not told.keys() <= set(names):
        raise ValueError("a reason is of a column that nobody has")
    return [*(told.get(name, 0.0) for name in names), answer["base"]]


def _decisions(told: dict[str, Any], labels: Float32) -> Decisions:
    """Count what the threshold makes of the test rows, whose answers [n] in batches are in their order."""
    alert = np.array([answer["decision"] == "alert" for answer in told["batch"]])
    threshold = told["threshold"]
    return Decisions(
        rule=threshold["rule"],
        threshold=threshold["joint"],
        version=threshold["version"],
        alerts=int(alert.sum()),
        caught=int(labels[alert].sum()),
        fraud=int(labels.sum()),
    )


COMPARE = Phase(
    "compare", "the API's answers against the merged model: not one bit may differ", _compare, False
)

PHASES = (
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


def go_on(story: Story) -> str:
    """Return what the reader can do next with a directory that is kept."""
    home, names = story.consortium.directory, [part.name for part in story.consortium.features]
    return "\n".join(
        [
            f"\nEvaluation: {home / REPORT}\nROC curves: {home / CURVES}",
            "\nGo on with the same institutions, and repeat the request above:\n",
            f"  cd {home}",
            *(f"  vfl party serve {name} &" for name in (*names, story.label)),
        ]
    )
