"""Linear models on weights of evidence: every party codes its own columns, scikit-learn judges."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear.label_party import train
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.algorithms.scorecard.label_party import fit_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.errors import DataError, ParameterError
from vfl.linear_model.evidence import NamedBinning, woe_columns
from vfl.linear_model.params import LinearParams

ROWS = 500
PARAMS = LinearParams(standardise=False, tol=1e-7)


@pytest.fixture(scope="module")
def binned(consortium, linear, private_key):
    """Two parties, a third of whose customers the feature party does not know, and their binning."""
    people = linear.population(rows=ROWS, widths=(3, 5), known=0.7, missing=0.1)
    y = (people.score + people.rng.normal(size=ROWS) > 0.3).astype(np.float32)
    group = consortium(people.label, people.parties, min_rows=5, directions=5)
    label = people.label
    table = LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), y)
    params = BinningParams(max_bins=4, min_iv=0.0)
    binning = fit_binning(group.sessions(), group.alignments, table, params, private_key, binning_id="b")
    return group, table, NamedBinning("b", binning.own, binning.unknown)


def fitted(binned, private_key, model_id, params=PARAMS, alone=False):
    group, table, binning = binned
    sessions = {} if alone else group.sessions()
    return train(sessions, group.alignments, table, params, private_key, model_id=model_id, binning=binning)


def test_coefficients_are_scikit_learns_on_pooled_weights_of_evidence(binned, private_key):
    """Unknown customers are one more column; shares as stored predict what scikit-learn predicts."""
    group, table, binning = binned
    result = fitted(binned, private_key, "woe")
    telco = group.parties["telco"]
    known = telco.frame.index.intersection(table.identifiers)
    at = [table.identifiers.index(customer) for customer in known]
    theirs = np.zeros((ROWS, len(telco.binnings["b"].coded)))
    raw = telco.frame.loc[known].to_numpy(np.float32)
    theirs[at] = woe_columns(telco.binnings["b"], raw)
    unknown = np.full(ROWS, binning.unknown["telco"])
    unknown[at] = 0
    pooled = np.column_stack([woe_columns(binning.own, table.columns), theirs, unknown])
    judge = LogisticRegression(tol=1e-10, max_iter=1000).fit(pooled, table.labels)
    part = telco.parts["woe"]
    ours = [*result.part.terms.coefficients, *part.terms.coefficients]
    np.testing.assert_allclose(ours, judge.coef_[0, :-1], atol=2e-5)
    np.testing.assert_allclose(
        result.part.peers[0].unknown, judge.coef_[0, -1] * binning.unknown["telco"], atol=2e-5
    )
    stored, part = ALGORITHMS.label_part(to_json(result.part)), ALGORITHMS.feature_part(to_json(part))
    told = part.terms.contributions(part.coded(raw))
    own_columns = table.columns[:, [table.names.index(name) for name in stored.columns]]
    predicted = ALGORITHMS.predictor(stored).predict(own_columns, [told], [np.array(at)])
    np.testing.assert_allclose(predicted, judge.predict_proba(pooled)[:, 1], atol=1e-5)


def test_the_label_party_alone_needs_no_column_of_unknown_customers(binned, private_key):
    """Without feature parties the same binning gives the model of its own columns."""
    _, table, binning = binned
    part = fitted(binned, private_key, "alone", alone=True).part
    own = woe_columns(binning.own, table.columns)
    judge = LogisticRegression(tol=1e-10, max_iter=1000).fit(own, table.labels)
    np.testing.assert_allclose(part.terms.coefficients, judge.coef_[0], atol=1e-5)
    assert part.peers == []


def test_what_does_not_fit_the_binning_is_refused(binned, private_key):
    """Weights of evidence are not scaled again, and other columns are not coded by guess."""
    group, table, binning = binned
    with pytest.raises(ParameterError, match="standardise"):
        fitted(binned, private_key, "scaled", LinearParams())
    other = LabelTable(table.identifiers, table.names[::-1], table.columns, table.labels)
    with pytest.raises(DataError, match="bin again"):
        fitted((group, other, binning), private_key, "other")
    frame = group.parties["telco"].frame
    group.parties["telco"].frame = frame[frame.columns[::-1]]
    with pytest.raises(Exception, match="bin again"):
        fitted(binned, private_key, "turned")
    group.parties["telco"].frame = frame
