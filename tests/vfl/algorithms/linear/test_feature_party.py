"""What a feature party refuses: requests that cannot be, however well-formed."""

import msgspec
import numpy as np
import pytest

from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.feature_party import Opening
from vfl.algorithms.linear.slots import Slots
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.errors import BadCiphertext, MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence
from vfl.jobs import PROTOCOL
from vfl.wire.codec import Envelope, encode
from vfl.wire.worker import Worker

ROWS = 40


@pytest.fixture(scope="module")
def group(consortium, linear):
    people = linear.population(rows=ROWS)
    return consortium(people.label, people.parties)


@pytest.fixture
def opening(group, private_key):
    alignment = group.alignments["telco"]
    return m.OpenLinear(
        model="m",
        alignment=alignment.id,
        fingerprint=alignment.fingerprint,
        binning=None,
        rows=ROWS,
        public_key=private_key.public_key.to_bytes(),
        l2=1.0,
        l1=0.0,
        tol=1e-5,
        standardise=True,
        rounds=2,
    )


@pytest.fixture
def worker(group, opening):
    worker = Worker(Opening(group.parties["telco"]))
    assert worker.handle(opening) == m.LinearOpened(["", "", "", ""], 3)
    return worker


ROUND = m.OpenRound([], True, 2, 30, 30, 30)


def changed(message, **fields):
    return msgspec.structs.replace(message, **fields)


@pytest.fixture(scope="module")
def ciphertexts(private_key):
    values = np.random.default_rng(0).integers(-(2**30), 2**30, (ROWS, 2))
    return Encryptor(private_key).encrypt(Slots(ROWS).pack(values)).astype("<u8").tobytes()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"rows": ROWS - 1}, OutOfRange),
        ({"rows": 2**31}, OutOfRange),
        ({"rows": 0}, OutOfRange),
        ({"fingerprint": bytes(32)}, NotAligned),
        ({"public_key": b"\x01" * 255}, OutOfRange),
        ({"public_key": bytes(300)}, OutOfRange),
    ],
)
def test_a_job_that_cannot_be_is_refused_when_it_opens(group, opening, fields, error):
    """Fewer rows than are aligned, too many, other rows, a key that protects nothing."""
    with pytest.raises(error):
        Worker(Opening(group.parties["telco"])).handle(changed(opening, **fields))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"coefficients": [1.0]}, OutOfRange),
        ({"curvatures": False}, OutOfSequence),
        ({"slots": 40}, OutOfRange),
    ],
)
def test_a_round_that_cannot_be_is_refused(worker, fields, error):
    """Coefficients of directions that were not offered, no curvatures yet, more slots than fit."""
    with pytest.raises(error):
        worker.handle(changed(ROUND, **fields))


def honest_round(worker, private_key, opening):
    """A whole round in which every residual is 0 and every curvature 1."""

    def encrypted(values):
        plain = Slots(ROWS).pack(np.array([values] * ROWS))
        return Encryptor(private_key).encrypt(plain).astype("<u8").tobytes()

    def decrypted(data):
        ciphertexts = np.frombuffer(data, dtype="<u8").reshape(-1, 64)
        return Decryptor(private_key).decrypt(ciphertexts).astype("<u8").tobytes()

    worker.handle(opening)
    if opening.curvatures:
        worker.handle(m.Curvatures(0, encrypted([1])))
    worker.handle(m.Residuals(0, encrypted([0, 0])))
    masked = worker.handle(m.AskMaskedSums())
    curvatures = decrypted(masked.curvatures) if masked.curvatures else b""
    return worker.handle(m.GiveUnmasked(decrypted(masked.gradients), curvatures))


def test_rounds_are_bounded(worker, private_key):
    """No more rounds than the job was opened for; where the gradient is 0 none offers a direction."""
    for curvatures in (True, False):
        assert honest_round(worker, private_key, changed(ROUND, curvatures=curvatures)).change < 1e-9
    with pytest.raises(NotAllowed):
        worker.handle(ROUND)


def test_a_request_that_cannot_come_now_is_refused(worker):
    """Each phase answers its own requests alone."""
    for request in (m.Residuals(0, b""), m.AskMaskedSums(), m.GiveUnmasked(b"", b"")):
        with pytest.raises(OutOfSequence, match="expected CloseLinear, OpenRound"):
            worker.handle(request)
    worker.handle(ROUND)
    with pytest.raises(OutOfSequence, match="expected AskMaskedSums, Curvatures, Residuals"):
        worker.handle(ROUND)


def test_chunks_come_in_order_and_whole(worker, ciphertexts):
    """No gap, no overlap, no half ciphertext, none too many, nothing that is no ciphertext."""
    worker.handle(ROUND)
    assert worker.handle(m.Residuals(0, ciphertexts[: 512 * 10])).rows == 10
    for wrong, error in [
        (m.Residuals(9, ciphertexts[:512]), OutOfRange),
        (m.Residuals(11, ciphertexts[:512]), OutOfRange),
        (m.Residuals(10, ciphertexts[:100]), MalformedMessage),
        (m.Residuals(10, b""), MalformedMessage),
        (m.Residuals(10, ciphertexts), OutOfRange),
        (m.Residuals(10, bytes(512)), BadCiphertext),
        (m.Curvatures(10, ciphertexts[:512]), OutOfRange),
    ]:
        with pytest.raises(error):
            worker.handle(wrong)
    with pytest.raises(OutOfSequence):
        worker.handle(m.AskMaskedSums())


def test_decrypted_sums_must_fit_their_masks(worker, ciphertexts, private_key):
    """Another number of plaintexts is malformed; wrong ones are no sums and give no direction."""
    worker.handle(ROUND)
    worker.handle(m.Curvatures(0, ciphertexts))
    worker.handle(m.Residuals(0, ciphertexts))
    masked = worker.handle(m.AskMaskedSums())
    assert (len(masked.gradients), len(masked.curvatures)) == (4 * 512, 512)
    encrypted = np.frombuffer(masked.gradients, dtype="<u8").reshape(4, 64)
    honest = Decryptor(private_key).decrypt(encrypted).astype("<u8").tobytes()
    for wrong, error in [
        (m.GiveUnmasked(bytes(256), bytes(256)), MalformedMessage),
        (m.GiveUnmasked(honest, b""), MalformedMessage),
        (m.GiveUnmasked(honest, bytes(256)), OutOfRange),
        (m.GiveUnmasked(bytes(4 * 256), bytes(256)), OutOfRange),
        (m.GiveUnmasked((bytes(255) + b"\x7f") * 4, bytes(256)), OutOfRange),
    ]:
        with pytest.raises(error):
            worker.handle(wrong)


def test_curvatures_in_a_round_without_them_are_refused(worker, private_key):
    """A round carries what its opening says."""
    honest_round(worker, private_key, ROUND)
    worker.handle(changed(ROUND, curvatures=False))
    with pytest.raises(OutOfRange):
        worker.handle(m.Curvatures(0, bytes(512)))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e31])
def test_numbers_that_are_none_never_pass_the_wire(number):
    """Coefficients are finite where they are decoded."""
    with pytest.raises(MalformedMessage):
        PROTOCOL.decode_request(encode(Envelope("job", 1, m.CloseLinear([number]))))
