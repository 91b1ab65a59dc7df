"""The label party's own model, where training on shares starts: scikit-learn on its columns is the judge."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.aggregation.table import LabelTable
from vfl.algorithms.secret_shared.own_model import OwnModel
from vfl.errors import DataError
from vfl.linear_model.evidence import Binning, CodedColumn, NamedBinning
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearPeer

ROWS = 300
ALIGNED = np.random.default_rng(1).permutation(ROWS)[:200]
ORDER = np.concatenate([ALIGNED, np.setdiff1d(np.arange(ROWS), ALIGNED)])
TELCO = LinearPeer(shown=["", ""], base=0.5, unknown=0.75)


def table(**changed):
    rng = np.random.default_rng(0)
    columns = rng.normal(2, 3, (ROWS, 2)).astype(np.float32)
    labels = (columns[:, 0] + rng.logistic(size=ROWS) * 2 > 2).astype(np.float32)
    fields = {"columns": columns, "labels": labels} | changed
    return LabelTable([f"C{i}" for i in range(len(fields["labels"]))], ["a", "b"], **fields)


def fit(rows=None, binning=None, **options):
    params = LinearParams(protocol="shared", **options)
    return OwnModel.fit(table() if rows is None else rows, params, binning, "telco", ALIGNED)


def coefficients(own):
    return own.basis.transform @ own.start


def test_rows_that_the_feature_party_knows_come_first():
    """Labels and columns are in aligned order, and the other customers follow in the table's."""
    own = fit(fit_intercept=False)
    assert np.array_equal(own.y, table().labels[ORDER])
    rows = own.design.columns[ORDER] @ own.basis.transform
    assert own.basis.columns == pytest.approx(rows, abs=2**-9)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_training_starts_at_the_model_of_the_label_party_alone(C):
    """Coefficients are scikit-learn's on the scaled columns; the intercept costs nothing."""
    own = fit(C=C)
    judge = LogisticRegression(C=C, tol=1e-10).fit(own.design.columns, table().labels)
    assert coefficients(own) == pytest.approx([judge.intercept_[0], *judge.coef_[0]], abs=0.01)


def test_without_an_intercept_there_is_none():
    """The columns alone are fitted, and the part's intercept is zero."""
    own = fit(fit_intercept=False)
    judge = LogisticRegression(fit_intercept=False, tol=1e-10).fit(own.design.columns, table().labels)
    assert coefficients(own) == pytest.approx(judge.coef_[0], abs=0.01)
    part = own.part(coefficients(own), "telco", TELCO)
    assert part.intercept == 0.0
    assert part.terms.coefficients == coefficients(own).tolist()


def test_the_flattest_curvature_is_a_fraction_of_the_bounds():
    """Steps of one length converge: the curvature is positive and never above the bound of the loss."""
    for C in (0.01, 1.0, 100.0):
        assert 0 < fit(C=C).flattest < 1.01


def test_a_part_adds_what_each_side_knows_of_unknown_customers():
    """Without a binning only the feature party does; its names and base are as it told them."""
    part = fit().part(np.array([-1.0, 2.0, 3.0]), "telco", TELCO)
    assert (part.intercept, part.terms.coefficients) == (-1.0, [2.0, 3.0])
    assert (part.owners, part.peers, part.binning) == (["telco"], [TELCO], None)


def test_a_coefficient_for_unknown_customers_goes_to_the_peer():
    """In weights of evidence the label party has one more column, which scores count with the peer."""
    coded = [CodedColumn(column=1, cuts=[2.0], woe=[-0.5, 0.5], missing=0.0)]
    named = NamedBinning("b1", Binning(columns=["a", "b"], coded=coded), {"telco": 0.2, "shop": 9.0})
    own = fit(binning=named, standardise=False)
    assert own.design.columns.shape == (ROWS, 2)
    part = own.part(np.array([1.0, 2.0, -3.0]), "telco", TELCO)
    assert part.terms.columns == ["b"]
    assert part.terms.coefficients == [2.0]
    assert part.peers[0].unknown == pytest.approx(0.75 - 3.0 * 0.2)
    assert (part.peers[0].shown, part.peers[0].base) == (TELCO.shown, TELCO.base)
    assert part.binning == named.own.of_selected()


def test_labels_and_columns_that_cannot_be_used_are_refused():
    """Labels other than 0 and 1, and an infinite value."""
    labels = table().labels.copy()
    labels[3] = 2
    with pytest.raises(DataError, match="labels"):
        fit(table(labels=labels))
    columns = table().columns.copy()
    columns[3, 1] = np.inf
    with pytest.raises(DataError):
        fit(table(columns=columns))
