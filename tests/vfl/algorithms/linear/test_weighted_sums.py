"""Weighted sums on ciphertexts: integers, exact to the last unit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.linear.slots import WEIGHT_BITS
from vfl.algorithms.linear.weighted_sums import WeightedSums
from vfl.algorithms.trees.machine_speed import Counting
from vfl.crypto.kernel import to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts, unsafe_generate

KEY = unsafe_generate(256)
LARGEST = 2 ** (WEIGHT_BITS - 1) - 1


def decrypted(residues):
    return to_ints(Decryptor(KEY).decrypt(KEY.public_key.modulus.from_residues(residues)), signed=True)


def encrypted(values):
    plain = np.array(values, dtype=np.int64).astype(np.uint64).reshape(-1, 1)
    return check_ciphertexts(KEY.public_key, Encryptor(KEY).encrypt(plain))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**20), rows=st.integers(1, 60), chunk=st.integers(1, 60), shared=st.booleans())
def test_sums_are_those_of_whole_numbers(seed, rows, chunk, shared):
    """Columns of few values, of many, constant, zero and at the bounds; rows in chunks of any size."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-(2**40), 2**40, rows)
    weights = np.stack(
        [
            rng.integers(-LARGEST, LARGEST + 1, rows),
            rng.integers(0, 3, rows),
            np.zeros(rows, dtype=np.int64),
            np.full(rows, LARGEST),
            rng.choice([-LARGEST, LARGEST], rows),
        ],
        axis=1,
    )
    sums, residues = WeightedSums(KEY.public_key, weights.T, shared=shared), encrypted(values)
    for _ in range(2):  # a second round starts from nothing
        for start in range(0, rows, chunk):
            sums.add(residues[start : start + chunk], start)
        expected = [sum(int(w) * int(v) for w, v in zip(c, values, strict=True)) for c in weights.T]
        assert decrypted(sums.take()) == expected


def test_many_values_are_split_into_digits():
    """Of many rows with values of their own each column still takes a few multiplications a row."""
    rows, rng = 20_000, np.random.default_rng(0)
    weights = rng.integers(-LARGEST, LARGEST + 1, (rows, 2))
    sums = WeightedSums(KEY.public_key, weights.T, shared=False)
    counting = Counting()
    sums._sums._modulus = counting
    sums.add(np.zeros((rows, 1), dtype=np.uint64), 0)
    assert counting.multiplications <= 3 * 2 * rows


def test_sums_of_nothing_are_no_sums():
    """Asking before any row has come is a mistake of the caller."""
    with pytest.raises(ValueError, match="no row"):
        WeightedSums(KEY.public_key, np.ones((1, 2), dtype=np.int64)).take()
