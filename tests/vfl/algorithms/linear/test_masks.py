"""Masks: what is decrypted says nothing of the sum, and comes off exactly."""

import numpy as np
import pytest
from scipy import stats

from vfl.algorithms.linear.masks import Masks
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.errors import MalformedMessage, OutOfRange


@pytest.fixture(scope="module")
def sums(private_key):
    """Sums at the ends of the range, and their residues."""
    half = private_key.public_key.n // 2
    values = [0, 1, -1, 12345678901234567890, -(half >> 64), half >> 64]
    encrypted = Encryptor(private_key).encrypt(from_ints(values, 31, signed=True))
    return values, check_ciphertexts(private_key.public_key, encrypted)


def decrypted(private_key, residues):
    plain = private_key.public_key.modulus.from_residues(residues)
    return Decryptor(private_key).decrypt(plain)


def test_masks_come_off_exactly(private_key, sums):
    """Whatever the sign, and where the masked sum wraps around n."""
    values, residues = sums
    for _ in range(5):
        masks = Masks(private_key.public_key, len(values))
        masked = decrypted(private_key, masks.put_on(residues))
        assert masks.take_off(masked.astype("<u8").tobytes()) == values


def test_masked_sums_are_spread_evenly(private_key, sums):
    """The same sums, masked often, decrypt to numbers spread evenly over the residues modulo n."""
    values, residues = sums
    seen = []
    for _ in range(60):
        masked = decrypted(private_key, Masks(private_key.public_key, len(values)).put_on(residues))
        seen += to_ints(masked, signed=True)
    shares = np.array([value / private_key.public_key.n + 0.5 for value in seen])
    assert stats.kstest(shares, "uniform").pvalue > 1e-9
    assert stats.kstest(shares[:: len(values)], "uniform").pvalue > 1e-9


def test_plaintexts_of_another_number_or_size_are_refused(private_key):
    """As many numbers modulo n as there are masks, and nothing else."""
    masks, width = Masks(private_key.public_key, 2), 8 * private_key.public_key.plain_limbs
    for wrong in (b"", bytes(width), bytes(2 * width - 1), bytes(3 * width)):
        with pytest.raises(MalformedMessage):
            masks.take_off(wrong)
    with pytest.raises(OutOfRange):
        masks.take_off(b"\xff" * (width - 1) + b"\x7f" + bytes(width))


def test_nothing_to_mask_is_nothing(private_key, sums):
    """A round without products masks none."""
    masks = Masks(private_key.public_key, 0)
    assert len(masks.put_on(sums[1][:0])) == 0
    assert masks.take_off(b"") == []
