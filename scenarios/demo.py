"""A bank, a telco and a payment processor find fraud together: the shortest run."""

from __future__ import annotations

from data_generators.fraud import FRAUD
from scenarios.scenario import Scenario, generated
from vfl.algorithms.trees.params import TreeParams

DEMO = Scenario(
    name="demo",
    line="A bank, a telco and a payment processor find fraudulent customers",
    title="Fraud found by a bank alone, with two partners, and on pooled columns",
    institutions=("bank", "telco", "payments"),
    duration="30 seconds",
    rows=3_000,
    params=TreeParams(n_estimators=6, max_depth=3, max_bin=32),
    # Five times the generator's rate, so that a few thousand customers are enough to learn from.
    prepare=generated(FRAUD, "strip spaces upper", rate=0.05),
)
