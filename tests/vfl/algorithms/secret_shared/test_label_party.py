"""Logistic regression on shares over real bytes and keys: scikit-learn on the pooled table is the judge."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear.label_party import train as plain_train
from vfl.algorithms.scorecard.label_party import fit_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.secret_shared import gradient_step, label_party
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers
from vfl.algorithms.secret_shared.fourier import PERIOD, SHARE_BITS
from vfl.algorithms.secret_shared.label_party import train
from vfl.errors import DataError, MalformedMessage, ParameterError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.linear_model.evidence import NamedBinning
from vfl.linear_model.params import LinearParams
from vfl.wire.codec import Envelope, encode

CLOSE = 0.03  # of coefficients of some hundred rows; rounding alone moves them by 0.01, on W1 by 0.001


def people_of(linear, rows=400, widths=(3, 4), **options):
    people = linear.population(rows=rows, widths=widths, **options)
    y = (people.score + people.rng.logistic(size=rows) > 1.0).astype(np.float32)
    return people, y


def fit(group, y, params, private_key, weights=None, **options):
    label = group.label
    table = LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), y, weights)
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id="m", **options)
    part = group.parties["telco"].parts["m"]
    return result, np.array(result.part.terms.coefficients + part.terms.coefficients)


def shared(**options):
    return LinearParams(protocol="shared", **options)


def test_coefficients_are_those_of_the_pooled_table(consortium, linear, private_key):
    """With missing values, customers that the feature party does not know, and correlated columns."""
    people, y = people_of(linear, known=0.8, missing=0.05)
    group = consortium(people.label, people.parties)
    result, coefficients = fit(group, y, shared(), private_key)
    pooled = np.clip(linear.pooled(group), -6, 6)
    judge = LogisticRegression(C=1.0, tol=1e-10).fit(pooled, y)
    assert result.converged
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    np.testing.assert_allclose(result.part.intercept, judge.intercept_[0], atol=CLOSE)
    assert result.columns == [*people.label.columns, *(f"telco.{name}" for name in people.parties["telco"])]


def test_without_intercept_and_with_a_strong_penalty(consortium, linear, private_key):
    """The penalty is scikit-learn's; without an intercept predictors stay centred where the data are."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties)
    _, coefficients = fit(group, y, shared(C=0.01, fit_intercept=False), private_key)
    judge = LogisticRegression(C=0.01, fit_intercept=False, tol=1e-10).fit(linear.pooled(group), y)
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)


def test_outliers_end_where_columns_do(consortium, linear, private_key):
    """One value a thousand deviations away counts as six, in training and in the shares that score."""
    people, y = people_of(linear)
    people.label.iloc[0, 0] = 1e6
    group = consortium(people.label, people.parties)
    result, coefficients = fit(group, y, shared(), private_key)
    judge = LogisticRegression(C=1.0, tol=1e-10).fit(np.clip(linear.pooled(group), -6, 6), y)
    np.testing.assert_allclose(coefficients[1:], judge.coef_[0][1:], atol=CLOSE)
    scaled = result.part.terms.scaling.apply(people.label.to_numpy(np.float32))
    assert np.abs(scaled).max() == 6.0


@pytest.fixture
def watched(monkeypatch):
    """What the parties computed in clear: shares of predictors and coefficients, and all that they opened."""
    seen = SimpleNamespace(predictors=[], weights=[], opened=[])
    harmonics, sums = gradient_step.harmonics, gradient_step.GradientStep.harmonic_sums
    opened = Ciphers.opened

    def watching_harmonics(shares, phases):
        seen.predictors.append(shares % 2**SHARE_BITS)
        return harmonics(shares, phases)

    def watching_sums(self, masks, masked):
        seen.weights.append(self.weights.now)
        return sums(self, masks, masked)

    def watching_opened(self, ciphertexts, count, slots):
        numbers = opened(self, ciphertexts, count, slots)
        data = numbers.astype("<u8").view(np.uint8)
        assert not data[:, :, slots.width :].any()
        seen.opened.append((self, data[:, :, : slots.width]))
        return numbers

    monkeypatch.setattr(gradient_step, "harmonics", watching_harmonics)
    monkeypatch.setattr(gradient_step.GradientStep, "harmonic_sums", watching_sums)
    monkeypatch.setattr(Ciphers, "opened", watching_opened)
    return seen


def test_shares_of_predictors_add_up_and_tell_nothing_alone(consortium, linear, private_key, watched):
    """Added modulo the period they are predictors at the shared coefficients; alone they spread evenly."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties)
    fit(group, y, shared(max_iter=2), private_key)
    ours, theirs, *later = watched.predictors  # label party's, feature party's, and so on
    z = ((ours + theirs) % 2**SHARE_BITS).astype(float) / 2**SHARE_BITS * PERIOD
    z = np.sort((z + PERIOD / 2) % PERIOD - PERIOD / 2)
    # The first step is taken at the label party's own model.
    scaled = np.clip(linear.pooled(group)[:, :3], -6, 6)
    own = np.sort(LogisticRegression(C=1.0, tol=1e-10).fit(scaled, y).decision_function(scaled))
    np.testing.assert_allclose(z, own, atol=0.02)
    for shares in watched.predictors:
        counts = np.histogram(shares, bins=8, range=(0, 2**SHARE_BITS))[0]
        assert counts.min() > 400 / 8 / 2  # eight bins of 50; below 25 is 4 deviations
    assert (ours != later[0]).all()


def test_everything_opened_is_masked(consortium, linear, private_key, watched):
    """In every slot that a party decrypts there are 64 random bits above anything that was summed."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties)
    fit(group, y, shared(max_iter=2), private_key)
    assert len({id(ciphers) for ciphers, _ in watched.opened}) == 2
    for _, opened in watched.opened:
        top = np.ascontiguousarray(opened[:, :, -8:]).reshape(-1, 8)
        assert len(np.unique(top, axis=0)) == len(top)
        drawn = np.unpackbits(top, axis=1, bitorder="little")[:, :-1]
        assert (np.abs(drawn.mean(axis=0) - 0.5) < 0.35).all()  # of 76 and more: 6 deviations


def test_shares_of_coefficients_are_masked_until_the_end(consortium, linear, private_key, watched):
    """After a step every share, at both sides, is larger than any coefficient by many orders."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties)
    fit(group, y, shared(max_iter=3), private_key)
    assert len(watched.weights) == 6
    for shares in watched.weights[2:]:
        assert min(abs(share) for share in shares) > 2**70


@pytest.mark.parametrize("flipped", [False, True])
def test_frames_are_as_long_whatever_the_labels(consortium, linear, private_key, flipped):
    """Requests of two steps with other labels have the same lengths, and name no customer."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties, show_columns=False)
    lengths = []
    for labels in (y, 1 - y if flipped else np.roll(y, 7)):
        for party in group.parties.values():
            party.frames_seen.clear()
        table = LabelTable(
            list(group.label.index), list(group.label.columns), group.label.to_numpy(np.float32), labels, None
        )
        train(group.sessions(), group.alignments, table, shared(max_iter=2), private_key, model_id="m")
        frames = group.parties["telco"].frames_seen
        kinds = [(type(PROTOCOL.decode_request(f).body), len(f)) for f in frames]
        lengths.append(kinds)
        spoken = b"".join(frames)
        assert not [name for name in group.label.index[:50] if name.encode() in spoken]
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize(
    ("params", "weighted", "message"),
    [
        ({"loss": "poisson"}, False, "logistic loss"),
        ({"l1_ratio": 0.5}, False, "no L1 penalty"),
        ({}, True, "without sample weights"),
    ],
)
def test_what_needs_the_plain_mode_is_refused(consortium, linear, private_key, params, weighted, message):
    """Other losses, L1 penalties and sample weights, before anything is sent."""
    people, y = people_of(linear)
    group = consortium(people.label, people.parties)
    weights = np.full(len(y), 2.0, dtype=np.float32) if weighted else None
    with pytest.raises(ParameterError, match=message):
        fit(group, y, shared(**params), private_key, weights)
    assert not group.parties["telco"].frames_seen


def test_several_feature_parties_are_refused(consortium, linear, private_key):
    """Shares are of two."""
    people, y = people_of(linear, widths=(3, 2, 2))
    group = consortium(people.label, people.parties)
    with pytest.raises(ParameterError, match="one feature party"):
        fit(group, y, shared(), private_key)


def test_labels_of_one_kind_are_refused(consortium, linear, private_key):
    """There is nothing to tell apart."""
    people, y = people_of(linear)
    with pytest.raises(DataError, match="both labels"):
        fit(consortium(people.label, people.parties), np.zeros_like(y), shared(), private_key)


LIES = {
    m.SharedOpened: lambda reply: {"penalty": reply.penalty[:-8]},
    m.CrossSumsGiven: lambda reply: {"masks": reply.masks[:-1]},
    m.StepOpened: lambda reply: {"predictors": reply.predictors[:-8]},
    m.HarmonicsExchanged: lambda reply: {"ciphertexts": reply.ciphertexts[8:]},
    m.GradientGiven: lambda reply: {"sums": reply.sums + bytes(8)},
    m.SharedClosed: lambda reply: {"now": b""},
}


@pytest.mark.parametrize("kind", LIES, ids=lambda kind: kind.__name__)
def test_a_lying_feature_party_is_caught(consortium, linear, private_key, kind):
    """Replies of another length than is due end the job with a sentence, not with an index error."""
    people, y = people_of(linear, rows=120)
    group = consortium(people.label, people.parties)
    party, receive = group.parties["telco"], group.parties["telco"].receive

    def lying(frame):
        reply = PROTOCOL.decode_reply(receive(frame))
        if not isinstance(reply.body, kind):
            return encode(reply)
        body = msgspec.structs.replace(reply.body, **LIES[kind](reply.body))
        return encode(Envelope(reply.job, reply.sequence, body))

    group.channel._receivers[party.name] = lying
    with pytest.raises(MalformedMessage):
        fit(group, y, shared(max_iter=1), private_key)


def test_the_plan_is_checked_by_the_feature_party(consortium, linear, private_key, monkeypatch):
    """Matrices with a number that is not finite are refused, and nothing is kept."""
    people, y = people_of(linear, rows=120)
    group = consortium(people.label, people.parties)
    monkeypatch.setattr(
        label_party.Plan, "from_cross_products", broken_plan(label_party.Plan.from_cross_products)
    )
    with pytest.raises(PeerRefused, match="not finite"):
        fit(group, y, shared(max_iter=1), private_key)
    assert not group.parties["telco"].parts


def broken_plan(plan_of):
    def broken(*arguments):
        plan = plan_of(*arguments)
        plan.gain[0, 0] = np.nan
        return plan

    return broken


def test_weights_of_evidence_and_customers_of_the_label_party_alone(consortium, linear, private_key):
    """On a binning of both parties coefficients are those of plain mode, unknown customers' included."""
    people, y = people_of(linear, rows=500, widths=(3, 5), known=0.7, missing=0.1)
    group = consortium(people.label, people.parties, min_rows=5, directions=5)
    label = people.label
    table = LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), y)
    found = fit_binning(
        group.sessions(),
        group.alignments,
        table,
        BinningParams(max_bins=4, min_iv=0.0),
        private_key,
        binning_id="b",
    )
    binning = NamedBinning("b", found.own, found.unknown)
    result, coefficients = fit(group, y, shared(standardise=False), private_key, binning=binning)
    plain = plain_train(
        group.sessions(),
        group.alignments,
        table,
        LinearParams(standardise=False),
        private_key,
        model_id="plain",
        binning=binning,
    )
    theirs = group.parties["telco"].parts["plain"].terms.coefficients
    np.testing.assert_allclose(coefficients, plain.part.terms.coefficients + theirs, atol=2 * CLOSE)
    np.testing.assert_allclose(result.part.intercept, plain.part.intercept, atol=CLOSE)
    assert abs(result.part.peers[0].unknown - plain.part.peers[0].unknown) < CLOSE
    assert result.part.binning == plain.part.binning


def test_too_few_steps_do_not_pass_for_convergence(consortium, linear, private_key):
    """The last step is told, and its size decides."""
    people, y = people_of(linear)
    result, _ = fit(consortium(people.label, people.parties), y, shared(max_iter=2), private_key)
    assert not result.converged
    assert result.history[-1] > 0.02
    assert result.directions == {"telco": 2}
