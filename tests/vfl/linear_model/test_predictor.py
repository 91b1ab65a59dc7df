"""Scores of linear models: scikit-learn judges, and a row scores the same in a batch and alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from vfl.errors import DataError, NotAligned
from vfl.linear_model.evidence import Binning, CodedColumn
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart, LinearPeer, LinearTerms
from vfl.linear_model.predictor import LinearPredictor, partial_scores
from vfl.linear_model.scaling import Scaling
from vfl.model.predictor import BLOCK_ROWS

LOSSES = ["logistic", "squared", "poisson"]


def random_terms(rng, width, standardise=True):
    columns = rng.normal(size=(50, width)).astype(np.float32) * 3 + 1
    names = [f"x{number}" for number in range(width)]
    return LinearTerms.from_coefficients(
        names, Scaling.fit(columns, standardise=standardise), rng.normal(size=width)
    )


def random_woe(rng, width):
    """Terms of columns in weights of evidence, and their binning: column 0 of the table is not kept."""
    names = [f"x{number}" for number in range(width + 1)]
    coded = [
        CodedColumn(
            column=column, cuts=[0.0, 1.5], woe=rng.normal(size=3).tolist(), missing=float(rng.normal())
        )
        for column in range(1, width + 1)
    ]
    terms = LinearTerms.from_coefficients(
        names[1:], Scaling.none(width), rng.normal(size=width), rng.normal(size=width)
    )
    return terms, Binning(columns=names, coded=coded)


def random_model(seed, loss="logistic", *, woe=False):
    """A label party's share and the shares of two feature parties of 3 and 2 columns."""
    rng = np.random.default_rng(seed)
    made = [random_woe(rng, width) if woe else (random_terms(rng, width), None) for width in (2, 3, 2)]
    own, *others = [LinearFeaturePart(terms=terms, binning=binning) for terms, binning in made]
    part = LinearLabelPart(
        params=LinearParams(loss=loss),
        intercept=float(rng.normal()),
        terms=own.terms,
        binning=own.binning,
        owners=["telco", "shop"],
        peers=[
            LinearPeer(
                shown=[""] * of.outputs, base=of.terms.base,
                unknown=float(rng.normal()) if woe else of.terms.unknown(),
            )
            for of in others
        ],
    )  # fmt: skip
    return part, others


def random_rows(seed, part, others, rows):
    """Own columns, what the parties say of the rows that they know, and which these are."""
    rng = np.random.default_rng(seed)

    def table(width, count):
        columns = rng.normal(size=(count, width)).astype(np.float32) * 2
        columns[rng.random(columns.shape) < 0.1] = np.nan
        return columns

    known = [np.flatnonzero(rng.random(rows) < 0.7) for _ in others]
    told = []
    for of, here in zip(others, known, strict=True):
        names = of.terms.columns
        told.append(partial_scores(of, table(len(of.columns), len(here)), names))
    return table(len(part.columns), rows), told, known


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("woe", [False, True], ids=["scaled", "in weights of evidence"])
def test_scores_are_scikit_learns(loss, woe):
    """On own columns and a sum for each party, whose unknown customers add what the label party knows."""
    part, others = random_model(1, loss, woe=woe)
    columns, told, known = random_rows(2, part, others, 300)
    model = LinearPredictor(part)
    judged = model.reference_predictions(columns, told, known)
    margins = model.batch_margins(columns, told, known)
    link = {"logistic": lambda z: 1 / (1 + np.exp(-z)), "squared": lambda z: z, "poisson": np.exp}[loss]
    np.testing.assert_allclose(link(margins), judged, rtol=1e-12, atol=1e-12)
    assert (np.abs(model.predict(columns, told, known) - judged) <= 1e-7 * np.abs(judged)).all()


def test_the_judge_is_scikit_learns_model_of_the_pooled_table():
    """Its coefficients side by side on pooled scaled columns give the same probabilities."""
    part, others = random_model(3)
    rng = np.random.default_rng(4)
    tables = [rng.normal(size=(100, len(of.columns))).astype(np.float32) for of in (part, *others)]
    told = [partial_scores(of, table, []) for of, table in zip(others, tables[1:], strict=True)]
    told = [np.pad(block, ((0, 0), (0, of.outputs - 1))) for block, of in zip(told, others, strict=True)]
    pooled = np.hstack(
        [of.terms.scaling.apply(table) for of, table in zip((part, *others), tables, strict=True)]
    )
    judge = LogisticRegression().fit(pooled[:2], [0, 1])
    judge.coef_ = np.concatenate([of.terms.coefficients for of in (part, *others)])[None]
    judge.intercept_ = np.array([part.intercept])
    expected = judge.predict_proba(pooled)[:, 1]
    found = LinearPredictor(part).reference_predictions(tables[0], told, [np.arange(100)] * 2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(LOSSES), st.booleans())
def test_a_row_scores_the_same_in_a_batch_and_alone(seed, loss, woe):
    """Bit for bit, the parties' partial scores included, whichever rows stand beside it."""
    part, others = random_model(seed, loss, woe=woe)
    rows = 37
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(rows, len(of.columns))).astype(np.float32) for of in (part, *others)]
    model, reasons = LinearPredictor(part), ["a", "b", "a"]

    def score(at):
        told = [
            partial_scores(of, t[at], reasons[: of.outputs]) for of, t in zip(others, tables[1:], strict=True)
        ]
        told[0] = np.insert(told[0], 2, 0.0, axis=1)
        return model.predict(tables[0][at], told, [np.arange(len(at))] * 2)

    batch = score(np.arange(rows))
    alone = np.concatenate([score(np.array([row])) for row in range(rows)])
    np.testing.assert_array_equal(batch.view(np.uint32), alone.view(np.uint32))


def test_many_rows_are_scored_block_by_block():
    """More rows than a block: the same as each block alone, customers that nobody knows included."""
    part, others = random_model(5)
    columns, told, known = random_rows(6, part, others, BLOCK_ROWS + 50)
    model = LinearPredictor(part)
    whole = model.batch_margins(columns, told, known)
    np.testing.assert_array_equal(whole, model.margins(model.gather(columns, told, known)))
    assert model.predict(columns[:0], [block[:0] for block in told], [rows[:0] for rows in known]).shape == (
        0,
    )


@pytest.mark.parametrize("woe", [False, True], ids=["scaled", "in weights of evidence"])
def test_contributions_and_the_base_sum_to_the_margin(woe):
    """Each is a coefficient times how far the column is from its mean; at the means nothing is left."""
    part, others = random_model(7, woe=woe)
    columns, told, known = random_rows(8, part, others, 60)
    model = LinearPredictor(part)
    gathered = model.gather(columns, told, known)
    contributions, base = model.contributions(gathered)
    np.testing.assert_allclose(base + contributions.sum(axis=1), model.margins(gathered), rtol=0, atol=1e-12)
    z = part.terms.scaling.apply(part.coded(columns))
    own = np.array(part.terms.coefficients) * (z - np.array(part.terms.mean))
    np.testing.assert_allclose(contributions[:, :2], own, atol=1e-15)
    means = part.intercept + sum(of.terms.base for of in (part, *others))
    assert base == pytest.approx(means, abs=1e-12)


def test_a_party_that_does_not_answer_counts_as_its_means():
    """For customers that it knows; one that it does not know adds what such customers added in training."""
    part, others = random_model(9, woe=True)
    columns, told, known = random_rows(10, part, others, 80)
    model = LinearPredictor(part)
    contributions, _ = model.contributions(model.gather(columns, [None, told[1]], known))
    names = part.features
    assert names[2:] == ["unknown to telco", "unknown to shop"]
    there = np.isin(np.arange(80), known[0])
    peer = part.peers[0]
    np.testing.assert_array_equal(contributions[:, 2], np.where(there, 0.0, peer.unknown - peer.base))
    np.testing.assert_array_equal(contributions[:, 4:7], 0.0)
    assert random_model(9)[0].features == ["x0", "x1"]


def test_partial_scores_are_sums_by_told_name():
    """Columns of one name are one number, in the order of their first columns; without names there is one."""
    part, _ = random_model(11)
    of = LinearFeaturePart(terms=part.terms)
    columns = np.array([[1.0, 2.0], [np.nan, 0.5]], dtype=np.float32)
    each = partial_scores(of, columns, ["a", "b"])
    np.testing.assert_array_equal(partial_scores(of, columns, ["b", "b"])[:, 0], each[:, 0] + each[:, 1])
    np.testing.assert_array_equal(partial_scores(of, columns, []), partial_scores(of, columns, ["b", "b"]))
    assert each[1, 0] == 0.0  # the mean stands for what is missing


def test_what_does_not_fit_the_share_is_refused():
    """Other columns, other partial scores, an infinite value."""
    part, others = random_model(12)
    columns, told, known = random_rows(13, part, others, 20)
    model = LinearPredictor(part)
    with pytest.raises(NotAligned, match="trained on 2"):
        model.gather(columns[:, :1], told, known)
    with pytest.raises(NotAligned, match="2 feature parties"):
        model.gather(columns, told[:1], known[:1])
    with pytest.raises(NotAligned, match="telco"):
        model.gather(columns, [told[0][:, :1], told[1]], known)
    columns[0, 0] = np.inf
    with pytest.raises(DataError, match="infinite"):
        model.gather(columns, told, known)
