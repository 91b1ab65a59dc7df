"""What a feature party answers on shares, message by message, and what it refuses."""

import dataclasses
import secrets

import msgspec
import numpy as np
import pytest

from vfl.aggregation.journal import MAX_ATTEMPTS
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer, to_wire
from vfl.algorithms.secret_shared.cross_products import LabelSums
from vfl.algorithms.secret_shared.feature_party import Opening
from vfl.algorithms.secret_shared.fourier import TERMS
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.crypto.paillier import PublicKey
from vfl.errors import MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence
from vfl.wire.worker import Worker

ROWS = 60


@pytest.fixture
def job(consortium, linear, private_key):
    """A feature party, and the opening that suits it."""
    people = linear.population(rows=ROWS)
    group = consortium(people.label, people.parties)
    alignment = group.alignments["telco"]
    opening = m.OpenShared(
        "m",
        alignment.id,
        alignment.fingerprint,
        None,
        ROWS,
        private_key.public_key.to_bytes(),
        2,
        3,
        1.0,
        True,
        1,
    )
    return group.parties["telco"], opening


def ciphers_of_label(private_key, opened):
    peer = Peer(PublicKey.from_bytes(opened.public_key), opened.width, opened.exponent)
    return Ciphers(private_key, "short", peer, ROWS)


@pytest.fixture
def ciphered(private_key):
    """Return the label party's rows, encrypted for a job."""

    def encrypt(opened):
        basis = Basis.from_columns(np.random.default_rng(0).normal(size=(ROWS, 2)), np.ones(2))
        basis = dataclasses.replace(basis, exponent=3)
        sums = LabelSums(ciphers_of_label(private_key, opened), basis, np.arange(ROWS) % 2.0)
        return to_wire(sums.ciphertexts(np.arange(ROWS)))

    return encrypt


@pytest.fixture
def prepared(job, private_key, ciphered):
    """A worker that has the plan, the label party's ciphers, what was opened, and the worker's phase."""
    party, opening = job
    worker = Worker(Opening(party))
    opened = worker.handle(opening)
    assert worker.handle(m.LabelRows(0, ciphered(opened))) == m.LabelRowsTaken(ROWS)
    worker.handle(m.AskCrossSums())
    d = 2 + opened.width
    worker.handle(m.GivePlan(bytes(8 * d * d), bytes(8 * d * d), 0.2, -0.1, [0.1] * 7))
    return worker, ciphers_of_label(private_key, opened), opened, worker._phase


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"rows": ROWS - 1}, OutOfRange),
        ({"rows": 2**20 + 1}, OutOfRange),
        ({"fingerprint": bytes(32)}, NotAligned),
        ({"public_key": secrets.token_bytes(128)}, OutOfRange),
    ],
)
def test_a_job_that_cannot_be_is_refused_when_it_opens(job, change, error):
    """Fewer rows than are aligned, too many, other rows, a key that is too short."""
    party, opening = job
    with pytest.raises(error):
        Worker(Opening(party)).handle(msgspec.structs.replace(opening, **change))


def test_names_are_shown_only_where_allowed(consortium, linear, job):
    """And the key is one of this job alone."""
    party, opening = job
    opened, again = (Worker(Opening(party, show_columns=show)).handle(opening) for show in (False, True))
    assert opened.columns == [""] * 4
    assert again.columns == ["x0", "x1", "x2", "x3"]
    assert opened.public_key != again.public_key
    assert opened.penalty != again.penalty


def test_rows_come_in_order_and_whole(job):
    """Not from elsewhere, not in parts, and all of them before the sums."""
    party, opening = job
    worker = Worker(Opening(party))
    worker.handle(opening)
    with pytest.raises(MalformedMessage):
        worker.handle(m.LabelRows(0, bytes(100)))
    with pytest.raises(OutOfRange):
        worker.handle(m.LabelRows(1, bytes(512)))
    with pytest.raises(OutOfSequence):
        worker.handle(m.AskCrossSums())


def test_cross_sums_are_told_so_often_on_the_same_terms(job, ciphered):
    """A label party that breaks off and begins again cannot go on to ask sums over rows of its choice."""
    party, opening = job
    other = msgspec.structs.replace(opening, l2=2.0)
    Worker(Opening(party)).handle(other)  # nothing was told: other terms can follow
    worker = Worker(Opening(party))
    worker.handle(m.LabelRows(0, ciphered(worker.handle(opening))))
    worker.handle(m.AskCrossSums())
    with pytest.raises(NotAligned, match="train again under another name"):
        Worker(Opening(party)).handle(other)
    Worker(Opening(party)).handle(opening)
    journal = party.drafts["m"]
    assert len(journal) == 2
    journal += journal[1:] * (MAX_ATTEMPTS - 1)
    with pytest.raises(NotAllowed, match="10 times, the most that is allowed; train again"):
        Worker(Opening(party)).handle(opening)


def zeros(ciphers, count):
    """Ciphertexts of zeros."""
    return to_wire(ciphers.encrypt(np.zeros((count, 1), dtype=np.uint64)))


def predictors(steps):
    """What the label party could return for the predictors, under the feature party's key: zeros."""
    return zeros(steps.job.ciphers, -(-ROWS // steps.gradient_step.predictor_slots.per_plaintext))


def test_a_job_has_no_more_steps_than_were_agreed(prepared):
    """Coefficients are told once, after so many steps at most."""
    worker, ciphers, opened, steps = prepared
    step = m.OpenStep(zeros(ciphers, opened.width))
    reply = worker.handle(step)
    assert len(reply.weights) == 2 * 512
    worker.handle(m.GivePredictors(predictors(steps)))
    worker.handle(m.ExchangeHarmonics(0, ROWS, zeros(ciphers, ROWS)))
    assert len(worker.handle(m.AskGradient()).sums) == opened.width * TERMS * 512
    assert worker.handle(m.GiveGradient(zeros(steps.job.ciphers, 2 * TERMS))).steps == 1
    with pytest.raises(NotAllowed, match="no steps left"):
        worker.handle(step)


def test_harmonics_come_in_order_and_whole(prepared):
    """And before the gradient is asked for."""
    worker, ciphers, opened, steps = prepared
    reply = worker.handle(m.OpenStep(zeros(ciphers, opened.width)))
    assert len(reply.predictors) % 512 == 0
    with pytest.raises(MalformedMessage):
        worker.handle(m.GivePredictors(bytes(512 * 1000)))
    worker.handle(m.GivePredictors(predictors(steps)))
    with pytest.raises(OutOfRange):
        worker.handle(m.ExchangeHarmonics(1, 10, bytes(512 * 10)))
    with pytest.raises(OutOfSequence):
        worker.handle(m.AskGradient())


def test_a_plan_of_another_size_is_refused(job, ciphered):
    """Matrices must be those of all coordinates."""
    party, opening = job
    worker = Worker(Opening(party))
    worker.handle(m.LabelRows(0, ciphered(worker.handle(opening))))
    worker.handle(m.AskCrossSums())
    with pytest.raises(MalformedMessage, match="matrix"):
        worker.handle(m.GivePlan(bytes(8), bytes(8), 0.2, 0.0, [0.1] * 7))
    with pytest.raises(OutOfRange, match="amplitudes"):
        worker.handle(m.GivePlan(bytes(8), bytes(8), 0.2, 0.0, [0.1]))


def test_a_request_that_cannot_come_now_is_refused(job):
    """Each phase answers its own requests alone."""
    party, opening = job
    worker = Worker(Opening(party))
    with pytest.raises(OutOfSequence, match="expected OpenShared"):
        worker.handle(m.AskCrossSums())
    worker.handle(opening)
    with pytest.raises(OutOfSequence, match="expected AskCrossSums, LabelRows"):
        worker.handle(opening)
