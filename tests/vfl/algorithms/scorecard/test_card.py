"""Every party's points of its own bins add up to the score of the model on the pooled columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.aggregation.table import LabelTable
from vfl.algorithms.scorecard.card import points_table
from vfl.algorithms.scorecard.label_party import fit_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.points import Scale
from vfl.errors import DataError
from vfl.linear_model.evidence import unknown_columns, woe_columns

ROWS = 700
SCALE = Scale(pdo=20, base_score=600, base_odds=30)


@pytest.fixture
def fitted(consortium, private_key):
    """Binnings of a bank and a telco that knows most customers, and a model on what they code."""
    rng = np.random.default_rng(0)
    customers = [f"C{i}" for i in range(ROWS)]
    bank = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "balance"])
    telco = pd.DataFrame(rng.normal(size=(ROWS, 3)), index=customers, columns=["a", "b", "c"])
    telco = telco.mask(rng.random(telco.shape) < 0.1)
    risk = bank["age"] + telco.fillna(1).sum(axis=1) + rng.logistic(size=ROWS)
    y = (risk > 1.5).to_numpy(np.float32)
    group = consortium(bank, {"telco": telco.iloc[:600]}, min_rows=10)
    label = LabelTable(customers, list(bank.columns), bank.to_numpy(np.float32), y)
    params = BinningParams(min_iv=0.0, max_bins=4)
    result = fit_binning(group.sessions(), group.alignments, label, params, private_key, binning_id="b")
    theirs = group.parties["telco"].binnings["b"]
    coded = np.zeros((ROWS, len(theirs.coded)))
    coded[:600] = woe_columns(theirs, telco.iloc[:600].to_numpy(np.float32))
    own = woe_columns(result.own, label.columns)
    unknown = unknown_columns(result.unknown, {"telco": np.arange(ROWS) < 600})
    X = np.hstack([own, unknown, coded])
    model = LogisticRegression(C=100.0, tol=1e-8).fit(X, y)
    return telco, theirs, X, model


def test_the_parties_points_add_up_to_the_models_score(fitted):
    """Looked up bin by bin in the telco's own table, its points and the bank's give the model's odds."""
    telco, theirs, X, model = fitted
    bank_width = X.shape[1] - len(theirs.coded)
    ours, coefficients = np.split(model.coef_[0], [bank_width])
    table = points_table(theirs, coefficients, SCALE)
    looked_up = np.zeros(ROWS)
    for customer, row in enumerate(telco.iloc[:600].to_dict("records")):
        for line in table:
            value = np.float32(row[line.column])
            in_values = (line.low is None or value >= line.low) and (line.high is None or value < line.high)
            if np.isnan(value) == (line.kind == "missing") and (np.isnan(value) or in_values):
                looked_up[customer] += line.points
    score = SCALE.base_points(model.intercept_[0]) + SCALE.points(X[:, :bank_width], ours).sum(axis=1)
    probability = model.predict_proba(X)[:, 1]
    assert SCALE.event_probability(score + looked_up) == pytest.approx(probability, abs=1e-12)
    assert np.ptp(looked_up) > 20


def test_a_coefficient_too_few_is_refused(fitted):
    """Points need a coefficient for each kept column."""
    with pytest.raises(DataError):
        points_table(fitted[1], np.ones(1), SCALE)
