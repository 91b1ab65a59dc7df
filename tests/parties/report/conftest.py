"""Scores as an evaluation gets them: a bank that finds little alone, and two partners who each know more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from parties.label.evaluation import AlertTerms, Evaluation, evaluation
from parties.label.evaluation_data import EvaluationData
from parties.storage.model_store import ModelRecord

HOSTILE = "<script src=//evil.example>&'\""
"""A partner's name, were one able to choose it freely."""


@pytest.fixture(scope="session")
def scored() -> EvaluationData:
    rng = np.random.default_rng(3)
    labels = (rng.random(1500) < 0.1).astype(np.float32)

    def scores(gain: float) -> np.ndarray:
        margin = gain * labels + rng.standard_normal(1500) - 3
        return (1 / (1 + np.exp(-margin))).astype(np.float32)

    partners = {"bank alone": [], "+ telco": ["telco"], "+ shop": ["shop"], "together": ["telco", "shop"]}
    return EvaluationData(
        model="m1",
        rows_are="validation",
        columns=np.zeros((1500, 1), dtype=np.float32),
        labels=labels,
        weights=None,
        amounts=rng.integers(1, 900, 1500).astype(np.float32),
        days=rng.integers(0, 15, 1500),
        partners=partners,
        scores=dict(zip(partners, map(scores, (0.5, 1.0, 1.5, 2.5)), strict=True)),
    )


@pytest.fixture(scope="session")
def found(scored: EvaluationData) -> Evaluation:
    return evaluation(scored, AlertTerms(alerts_per_day=4, cost_of_alert=12.5))


@pytest.fixture(scope="session")
def bare(scored: EvaluationData) -> EvaluationData:
    """The same without amounts and days, with one partner of a hostile name, and margins for scores."""
    scores = {"bank alone": scored.scores["bank alone"] * 9 - 5, "together": scored.together * 9 - 5}
    partners = {"bank alone": [], "together": [HOSTILE]}
    return replace(scored, model=HOSTILE, amounts=None, days=None, partners=partners, scores=scores)


@pytest.fixture(scope="session")
def record() -> ModelRecord:
    return ModelRecord(
        model="m1",
        alignment="a1",
        rows=6000,
        validation_rows=1500,
        validation_fraction=0.2,
        algorithm="trees",
        metric="logloss",
        history=[],
        facts={"trees": 10, "importances": {}},
        seconds=1.5,
        created="2026-01-31T00:00:00Z",
    )
