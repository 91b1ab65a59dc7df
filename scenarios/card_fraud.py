"""A bank that issues cards and the acquirer of the terminals find fraudulent transactions together."""

from __future__ import annotations

from data_generators.cards import CARDS
from scenarios.api_comparison import STEPS, next_steps
from scenarios.api_report import ApiReport
from scenarios.scenario import Scenario, generated
from vfl.algorithms.trees.params import TreeParams

CARD_FRAUD = Scenario(
    name="card_fraud",
    line="A bank that issues cards and an acquirer find fraudulent transactions as they come in",
    title="Card fraud found by the issuer alone, with the acquirer, and on pooled columns",
    institutions=("bank", "acquirer"),
    duration="2 minutes",
    rows=20_000,
    params=TreeParams(n_estimators=30, max_depth=4, learning_rate=0.2, max_bin=32),
    prepare=generated(
        CARDS,
        "digits",
        test_fraction=0.5,
        key_field="transaction",
        columns={"amount": "amount", "day": "day"},
    ),
    validation_fraction=0.2,
    steps=STEPS,
    report=ApiReport,
    next_steps=next_steps,
)
