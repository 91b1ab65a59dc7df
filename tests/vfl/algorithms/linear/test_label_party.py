"""Linear models over real bytes and a real key: scikit-learn on the pooled table is the judge."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge

from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.directions import Directions
from vfl.algorithms.linear.label_party import train
from vfl.algorithms.linear.problem import Problem
from vfl.crypto.kernel import to_ints
from vfl.crypto.paillier import Decryptor
from vfl.errors import DataError, MalformedMessage, NotAligned, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.linear_model.params import LinearParams
from vfl.linear_model.predictor import LinearPredictor
from vfl.wire.codec import Envelope, encode

CLOSE = 1e-4  # the promise; what is seen is below 1e-6


def labels_of(people, loss):
    if loss == "logistic":
        return (people.score + people.rng.logistic(size=len(people.score)) > 0.5).astype(float)
    if loss == "poisson":
        return people.rng.poisson(np.exp(0.3 * people.score)).astype(float)
    return np.float32(people.score * 3 + people.rng.normal(size=len(people.score)) + 10).astype(float)


def exact_logistic(**options):
    return LogisticRegression(**({"tol": 1e-10, "max_iter": 20_000} | options))


def exact_elastic_net(**options):
    return exact_logistic(penalty="elasticnet", solver="saga", tol=1e-13, **options)


@pytest.mark.parametrize("widths", [(3, 4), (3, 4, 3), (2, 3, 3, 3)], ids=["one", "two", "three"])
def test_logistic_coefficients_equal_scikit_learns(consortium, linear, private_key, widths):
    """With one, two and three feature parties whose columns are correlated, missing values, and customers
    that a party does not know."""
    people = linear.population(widths=widths, known=0.8, missing=0.05)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=6)
    result, coefficients = linear.fit(group, y, LinearParams(C=0.5), private_key)
    judge = exact_logistic(C=0.5).fit(linear.pooled(group), y)
    assert result.converged
    assert len(coefficients) == sum(widths) == len(result.columns)
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    np.testing.assert_allclose(result.part.intercept, judge.intercept_[0], atol=CLOSE)


JUDGES = {
    "ridge": (LinearParams(loss="squared", C=0.1), lambda n: Ridge(alpha=10.0)),
    "no penalty": (LinearParams(loss="squared", C=None), lambda n: LinearRegression()),
    "poisson": (
        LinearParams(loss="poisson", C=0.2),
        lambda n: PoissonRegressor(alpha=1 / (0.2 * n), tol=1e-10, max_iter=10_000),
    ),
    "no intercept": (LinearParams(fit_intercept=False), lambda n: exact_logistic(fit_intercept=False)),
    "weak penalty": (LinearParams(C=1e4), lambda n: exact_logistic(C=1e4)),
    "elastic net": (
        LinearParams(C=0.05, l1_ratio=0.5),
        lambda n: exact_elastic_net(C=0.05, l1_ratio=0.5),
    ),
    "lasso": (
        LinearParams(C=0.1, l1_ratio=1.0),
        lambda n: exact_elastic_net(C=0.1, l1_ratio=1),
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("case", JUDGES)
def test_losses_and_penalties_equal_scikit_learns(consortium, linear, private_key, case, weighted):
    """Every loss and penalty, with and without sample weights (some of them zero)."""
    params, judge = JUDGES[case]
    people = linear.population(rows=240, widths=(3, 5))
    y = labels_of(people, params.loss)
    weights = people.rng.integers(0, 4, len(y)).astype(np.float32) if weighted else None
    group = consortium(people.label, people.parties)
    result, coefficients = linear.fit(group, y, params, private_key, weights)
    total = len(y) if weights is None else weights.sum()
    fitted = judge(total).fit(linear.pooled(group), y, sample_weight=weights)
    assert result.converged
    np.testing.assert_allclose(coefficients, np.ravel(fitted.coef_), atol=CLOSE)
    np.testing.assert_allclose(result.part.intercept, np.ravel(fitted.intercept_), atol=CLOSE)
    if params.l1_ratio == 1:
        np.testing.assert_array_equal(coefficients == 0, np.abs(np.ravel(fitted.coef_)) < 1e-7)
        assert (coefficients == 0).any()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_l1_penalty_over_two_parties_equals_scikit_learns(consortium, linear, private_key):
    """Correlated columns at two parties, some of them dropped, take no more directions than columns."""
    people = linear.population(rows=240, widths=(3, 5, 4), seed=3)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=5)
    result, coefficients = linear.fit(group, y, LinearParams(C=0.2, l1_ratio=0.9), private_key)
    judge = exact_elastic_net(C=0.2, l1_ratio=0.9).fit(linear.pooled(group), y)
    assert result.converged
    assert result.directions["telco"] <= 5
    assert result.directions["payments"] <= 4
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    assert (coefficients == 0).any()


def test_columns_as_they_are_equal_scikit_learns(consortium, linear, private_key):
    """Without scaling the penalty is that of the raw columns; an unknown customer has their means."""
    people = linear.population(widths=(3, 4), known=0.7)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=4)
    params = LinearParams(standardise=False, C=0.1)
    result, coefficients = linear.fit(group, y, params, private_key)
    rows = [name in set(group.label.index) for name in people.parties["telco"].index]
    group.parties["telco"].frame = people.parties["telco"][rows]  # strangers are not aligned
    judge = exact_logistic(C=0.1, solver="newton-cholesky").fit(linear.pooled(group, standardise=False), y)
    assert result.converged
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    np.testing.assert_allclose(result.part.intercept, judge.intercept_[0], atol=CLOSE)


def test_columns_that_repeat_each_other_are_no_obstacle(consortium, linear, private_key):
    """A column held twice, once at each party, and a constant one leave a unique penalised solution."""
    people = linear.population(widths=(3, 3))
    telco = people.parties["telco"]
    telco["copy"] = people.label["x0"].reindex(telco.index).fillna(0.0)
    telco["again"], telco["constant"] = telco["x1"], np.float32(7)
    y = labels_of(people, "logistic")
    group = consortium(people.label, {"telco": telco})
    result, coefficients = linear.fit(group, y, LinearParams(), private_key)
    judge = exact_logistic(C=1.0).fit(linear.pooled(group), y)
    assert result.converged
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)


def test_shares_predict_what_scikit_learn_predicts(consortium, linear, private_key):
    """The parts of the linear predictor that both shares give add up to the pooled model's probability."""
    people = linear.population(widths=(3, 4), known=0.8, missing=0.05)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=4)
    result, _ = linear.fit(group, y, LinearParams(), private_key)
    terms = group.parties["telco"].parts["m"].terms
    frame = people.parties["telco"].reindex(group.label.index)
    part = terms.contributions(frame.to_numpy(np.float32))
    unknown = ~group.label.index.isin(people.parties["telco"].index)
    np.testing.assert_array_equal(part[unknown], 0)
    pooled = linear.pooled(group)
    judge = exact_logistic(C=1.0).fit(pooled, y)
    known = [np.arange(len(part))]
    predicted = LinearPredictor(result.part).predict(group.label.to_numpy(np.float32), [part], known)
    np.testing.assert_allclose(predicted, judge.predict_proba(pooled)[:, 1], atol=CLOSE)


@pytest.mark.parametrize("cap", [None, 1, 2])
def test_no_more_directions_than_the_owner_allows(consortium, linear, private_key, cap):
    """By default one fewer than columns. Where that is too few the result says so and is what they allow."""
    people = linear.population(widths=(3, 3))
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=cap)
    result, coefficients = linear.fit(group, y, LinearParams(tol=1e-9, C=100.0), private_key)
    allowed = cap or 2
    assert result.directions == {"telco": allowed}
    assert not result.converged
    judge = exact_logistic(C=100.0).fit(linear.pooled(group), y)
    distance = np.abs(coefficients - judge.coef_[0]).max()
    assert distance < {1: 0.1, 2: 1e-3}[allowed]


def test_a_party_with_one_column_refuses_unless_its_owner_allows(consortium, linear, private_key):
    """One direction of one column is that column."""
    people = linear.population(widths=(2, 1))
    y = labels_of(people, "squared")
    with pytest.raises(PeerRefused) as caught:
        linear.fit(consortium(people.label, people.parties), y, LinearParams(loss="squared"), private_key)
    assert caught.value.peer_code == "not_allowed"
    group = consortium(people.label, people.parties, directions=1)
    result, _ = linear.fit(group, y, LinearParams(loss="squared"), private_key)
    assert result.converged


def test_rounds_are_counted_and_bounded(consortium, linear, private_key):
    """After ``max_iter`` rounds training stops and says that it has not converged; progress tells each."""
    people = linear.population()
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties)
    result, _ = linear.fit(group, y, LinearParams(max_iter=2), private_key)
    assert not result.converged
    assert len(result.history) == 2
    table = table_of(group.label, y)
    told = []
    train(
        group.sessions(), group.alignments, table, LinearParams(), private_key, model_id="n",
        on_progress=lambda done, total, what: told.append((done, total)),
    )  # fmt: skip
    assert told == [(done, 30) for done in range(len(told))]


def table_of(label, y, weights=None):
    return LabelTable(
        list(label.index), list(label.columns), label.to_numpy(np.float32), y.astype(np.float32), weights
    )


def test_without_feature_parties_the_label_party_fits_alone(consortium, linear, private_key):
    """No peer, no message: scikit-learn's model of the own columns."""
    people = linear.population()
    y = labels_of(people, "logistic")
    group = consortium(people.label, {})
    result, coefficients = linear.fit(group, y, LinearParams(), private_key)
    judge = exact_logistic().fit(linear.pooled(group), y)
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    assert result.converged
    assert result.history == []


@pytest.mark.parametrize(
    ("params", "spoil", "error"),
    [
        (LinearParams(), lambda t: LabelTable(t.identifiers, t.names, t.columns, t.labels + 1), DataError),
        (LinearParams(), lambda t: LabelTable(t.identifiers, t.names, t.columns, t.labels * 0), DataError),
        (
            LinearParams(loss="poisson"),
            lambda t: LabelTable(t.identifiers, t.names, t.columns, t.labels - 1),
            DataError,
        ),
        (
            LinearParams(),
            lambda t: LabelTable(t.identifiers, t.names, t.columns, t.labels, -np.ones_like(t.labels)),
            DataError,
        ),
        (
            LinearParams(),
            lambda t: LabelTable(t.identifiers, t.names, t.columns * np.nan, t.labels),
            DataError,
        ),
        (
            LinearParams(),
            lambda t: LabelTable(["?" + i for i in t.identifiers], t.names, t.columns, t.labels),
            NotAligned,
        ),
    ],
    ids=["labels 1 and 2", "one label", "negative counts", "negative weights", "empty columns", "strangers"],
)
def test_tables_that_cannot_be_used_are_refused_before_anything_is_sent(
    consortium, linear, private_key, params, spoil, error
):
    """What is wrong with the label party's own table is told to it, and nobody is asked."""
    people = linear.population()
    group = consortium(people.label, people.parties)
    table = spoil(table_of(group.label, labels_of(people, "logistic")))
    with pytest.raises(error):
        train(group.sessions(), group.alignments, table, params, private_key, model_id="m")
    assert group.parties["telco"].frames_seen == []


# --- who sees what ------------------------------------------------------------------------------------------


def test_the_label_party_decrypts_nothing_but_masks(consortium, linear, private_key, monkeypatch):
    """All that is decrypted in a job is spread evenly over the numbers modulo n, whatever the sums are."""
    decrypted = []
    decrypt = Decryptor.decrypt

    def watched(self, ciphertexts):
        plain = decrypt(self, ciphertexts)
        decrypted.extend(to_ints(plain, signed=True))
        return plain

    monkeypatch.setattr(Decryptor, "decrypt", watched)
    people = linear.population(rows=100, widths=(3, 8))
    y = labels_of(people, "logistic")
    linear.fit(consortium(people.label, people.parties), y, LinearParams(), private_key)
    n = private_key.public_key.n
    parts = [value / n + 0.5 for value in decrypted]
    assert len(parts) > 30
    assert len(set(decrypted)) == len(decrypted)
    # Sums without a mask are below n / 2^60: all shares would be one half.
    assert stats.kstest(parts, "uniform").pvalue > 1e-9


def test_the_feature_party_gets_its_own_sums_and_nothing_else(consortium, linear, private_key, monkeypatch):
    """It unmasks the sums of its rounded columns times residuals, and the curvature-weighted ones."""
    seen, sent = {"gradient": [], "products": [], "block": []}, {"r": [], "d": [], "block": []}
    step, curve, residuals, block = Directions.step, Directions.curve, Problem.residuals, Problem.block
    parts = []

    def watched_step(self, gradient):
        seen["gradient"].append(gradient)
        parts.append(self)
        return step(self, gradient)

    def watched_curve(self, products, inner):
        seen["products"].append(products)
        seen["block"].append(inner)
        return curve(self, products, inner)

    def watched_residuals(self):
        r, d = residuals(self)
        sent["r"].append(r)
        sent["d"].append(d)
        return r, d

    def watched_block(self, curvatures, most):
        sent["block"].append((curvatures, block(self, curvatures, most)))
        return sent["block"][-1][1]

    monkeypatch.setattr(Directions, "step", watched_step)
    monkeypatch.setattr(Directions, "curve", watched_curve)
    monkeypatch.setattr(Problem, "residuals", watched_residuals)
    monkeypatch.setattr(Problem, "block", watched_block)
    people = linear.population(rows=150, widths=(3, 4), known=0.8)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties)
    linear.fit(group, y, LinearParams(standardise=False), private_key)
    row_of = {customer: row for row, customer in enumerate(group.label.index)}
    known = np.array([row_of[c] for c in group.alignments["telco"].identifiers])
    unknown = np.setdiff1d(np.arange(len(y)), known)
    X = parts[0]._columns
    rows, cols = np.triu_indices(4)
    Z = parts[0].components
    assert len(X) == len(known) + 1

    def gathered(values):
        return np.concatenate([values[known], values[unknown].sum(axis=0, keepdims=True)])

    for gradient, r in zip(seen["gradient"], sent["r"], strict=True):
        np.testing.assert_allclose(gradient, X.T @ gathered(r), rtol=0, atol=1e-6)
    for products, inner, (d, turned) in zip(seen["products"], seen["block"], sent["block"], strict=True):
        np.testing.assert_allclose(inner, X.T @ gathered(turned), atol=1e-6)
        exact = (Z[:, rows] * Z[:, cols]).T @ gathered(d)
        np.testing.assert_allclose(products, exact, atol=0.05 * gathered(d).sum())


def test_no_number_about_labels_crosses_in_clear(consortium, linear, private_key):
    """Exchange the labels of all customers: what is told before the first direction differs in ciphertexts
    and in the rough sizes of rows alone."""
    people = linear.population(rows=100)
    y = labels_of(people, "logistic")
    told = []
    for labels in (y, np.roll(y, 7)):
        group = consortium(people.label, people.parties)
        linear.fit(group, labels, LinearParams(max_iter=1), private_key)
        bodies = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
        ciphertexts = [m.Curvatures, m.Residuals]
        asked = [m.OpenLinear, m.OpenRound, *ciphertexts, m.AskMaskedSums, m.GiveUnmasked, m.CloseLinear]
        assert list(map(type, bodies)) == asked
        told.append((bodies[0], bodies[1].coefficients, bodies[1].slots, bodies[1].curvatures))
    assert told[0] == told[1]


def test_no_ciphertext_is_sent_for_a_customer_outside_the_alignment(consortium, linear, private_key):
    """One ciphertext for each aligned customer, one for all others together, and none more."""
    people = linear.population(rows=120, known=0.5)
    y = labels_of(people, "squared")
    group = consortium(people.label, people.parties)
    linear.fit(group, y, LinearParams(loss="squared"), private_key)
    aligned = len(group.alignments["telco"].identifiers)
    assert aligned < 100
    bodies = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
    rounds = [body for body in bodies if isinstance(body, m.OpenRound)]
    sent = [len(body.ciphertexts) // 512 for body in bodies if isinstance(body, (m.Residuals, m.Curvatures))]
    assert sent == [aligned + 1] * (len(rounds) + sum(body.curvatures for body in rounds))
    assert sum(body.curvatures for body in rounds) == 1  # those of squared loss never change


# --- peers that do not keep to the protocol -----------------------------------------------------------------


def tampered(group, kind, change):
    """Replace replies of one kind on their way to the label party."""
    exchange = group.channel.exchange

    def lying(peer, frame):
        reply = PROTOCOL.decode_reply(exchange(peer, frame))
        if isinstance(reply.body, kind):
            reply = Envelope(reply.job, reply.sequence, change(reply.body))
        return encode(reply)

    group.channel.exchange = lying


def replaced(**fields):
    def change(body):
        values = {name: getattr(body, name) for name in body.__struct_fields__}
        return type(body)(**(values | {k: f(body) if callable(f) else f for k, f in fields.items()}))

    return change


LIES = {
    "rows": (m.RoundOpened, replaced(rows=1)),
    "fewer sums": (m.MaskedSums, replaced(gradients=lambda b: b.gradients[:-512])),
    "more sums": (m.MaskedSums, replaced(curvatures=lambda b: b.curvatures * 2)),
    "short values": (m.DirectionOffered, replaced(values=lambda b: b.values[:-4])),
    "values that are no numbers": (
        m.DirectionOffered,
        replaced(values=lambda b: np.full(len(b.values) // 4, np.nan, "<f4").tobytes()),
    ),
    "a penalty of another size": (m.DirectionOffered, replaced(square=[1.0, 0.0])),
    "a penalty that rewards": (m.DirectionOffered, replaced(square=lambda b: [-1.0])),
    "another number of choices": (m.DirectionOffered, replaced(linear=[0.0, 0.0])),
    "another number of directions": (m.DirectionOffered, replaced(base=[0.0, 0.0])),
    "mixing of another size": (m.DirectionOffered, replaced(mixing=[])),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_feature_party_is_caught(consortium, linear, private_key, lie):
    """Sums and directions of another number or form than was due end the job."""
    people = linear.population(rows=60)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties)
    tampered(group, *LIES[lie])
    with pytest.raises(MalformedMessage):
        linear.fit(group, y, LinearParams(), private_key)
