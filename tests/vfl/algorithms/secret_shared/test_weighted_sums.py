"""Arithmetic on ciphertexts is exact: Python's integers are the judge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.secret_shared import weighted_sums as sums_module
from vfl.algorithms.secret_shared.slots import Slots, number
from vfl.algorithms.secret_shared.weighted_sums import scalar_products, weighted_sums
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, unsafe_generate

KEY = unsafe_generate(512)
MODULUS = KEY.public_key.modulus


def residues(numbers):
    return MODULUS.to_residues(Encryptor(KEY).encrypt(from_ints(numbers, 4)))


def decrypted(sums):
    return to_ints(Decryptor(KEY).decrypt(MODULUS.from_residues(sums)), signed=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 26), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32))
def test_weighted_sums_are_exact(bits, rows, columns, seed):
    """For any number of bits, in one digit or several, the extreme weights included."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 2**bits, (rows, columns))
    weights[0], weights[-1] = 0, 2**bits - 1
    numbers = [int(value) for value in rng.integers(0, 2**60, rows)]
    expected = [sum(int(w) * v for w, v in zip(column, numbers, strict=True)) for column in weights.T]
    assert decrypted(weighted_sums(MODULUS, residues(numbers), weights, bits)) == expected


def test_more_columns_than_are_summed_at_once():
    """Blocks of columns come back in order."""
    weights = np.arange(3 * 40).reshape(3, 40)
    assert decrypted(weighted_sums(MODULUS, residues([1, 10, 100]), weights, 7)) == [
        int(a + 10 * b + 100 * c) for a, b, c in weights.T
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 22), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32))
def test_scalar_products_are_exact(bits, rows, width, seed):
    """Rows in slots of packed ciphertexts, the last of them not full."""
    rng = np.random.default_rng(seed)
    slots = Slots(bits + 32 + width.bit_length(), KEY.public_key.bits)
    matrix = rng.integers(0, 2**bits, (rows, width))
    matrix[-1] = 2**bits - 1
    coefficients = [int(value) for value in rng.integers(0, 2**32, width)]
    packed = scalar_products(
        MODULUS, residues(coefficients), matrix, bits, slots.per_plaintext, slots.layout.width
    )
    opened = slots.unpack(Decryptor(KEY).decrypt(MODULUS.from_residues(packed)))
    found = [number(slot) for slot in opened.reshape(-1, slots.layout.words)[:rows]]
    assert found == [sum(int(x) * c for x, c in zip(row, coefficients, strict=True)) for row in matrix]


@pytest.mark.parametrize("count", [0, 1])
def test_an_offset_of_a_weight_is_a_sum_of_plaintexts(count):
    """What who decrypts takes back: an offset adds itself times the sum of all that was encrypted."""
    signed = np.array([[-512], [511], [count]])
    (total,) = decrypted(weighted_sums(MODULUS, residues([3, 5, 7]), signed + 512, 10))
    assert total - 512 * (3 + 5 + 7) == -512 * 3 + 511 * 5 + count * 7


def test_scalar_products_of_more_rows_than_are_worked_on_at_once(monkeypatch):
    """Blocks of ciphertexts come back in order, none of them torn."""
    monkeypatch.setattr(sums_module, "PACKED_AT_ONCE", 2)
    slots = Slots(40, KEY.public_key.bits)
    matrix = np.arange(5 * slots.per_plaintext + 1)[:, None]
    packed = scalar_products(MODULUS, residues([7]), matrix, 8, slots.per_plaintext, slots.layout.width)
    opened = slots.unpack(Decryptor(KEY).decrypt(MODULUS.from_residues(packed)))
    found = [number(slot) for slot in opened.reshape(-1, slots.layout.words)[: len(matrix)]]
    assert found == [7 * row for row in range(len(matrix))]
