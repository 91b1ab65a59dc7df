"""A bank, a telco and a payment processor find accounts that launderers use."""

from __future__ import annotations

from data_generators.mules import MULES
from scenarios.api_comparison import STEPS, next_steps
from scenarios.api_report import ApiReport
from scenarios.scenario import Scenario, generated
from vfl.algorithms.trees.params import TreeParams

MULE_ACCOUNTS = Scenario(
    name="mule_accounts",
    line="A bank, a telco and a payment processor find accounts that money is laundered through",
    title="Money mules found by a bank alone, with two partners, and on pooled columns",
    institutions=("bank", "telco", "payments"),
    duration="2 minutes",
    rows=20_000,
    params=TreeParams(n_estimators=30, max_depth=4, learning_rate=0.2, max_bin=32),
    prepare=generated(MULES, "strip spaces upper", test_fraction=0.5, columns={"amount": "amount"}),
    validation_fraction=0.2,
    steps=STEPS,
    report=ApiReport,
    next_steps=next_steps,
)
