"""Counts of multiplications: what the kernel is really asked for."""

import numpy as np
import pytest

from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.algorithms.trees.machine_speed import Counting
from vfl.algorithms.trees.multiplications import (
    FIXED_BASE_WINDOW,
    LEVEL_SHARE,
    decryption,
    encryption,
    independent_sums,
    levels,
    packing,
    rerandomising,
)
from vfl.crypto.paillier import Encryptor


@pytest.mark.parametrize("profile", ["short", "full"])
def test_an_exponent_is_as_long_as_the_encryptor_draws_it(private_key, profile):
    """Encryption takes a multiplication a window, of as many windows as the profile's exponents have."""
    (bits, _) = Encryptor(private_key, profile)._exponent_bits
    windows = -(-bits // FIXED_BASE_WINDOW)
    assert encryption(2048, profile).private == 2 * (windows + 1)


def test_longer_keys_take_more():
    """Every step of a 3072-bit key takes more multiplications than of a 2048-bit one, or as many."""
    for count in (lambda bits: encryption(bits, "short"), lambda bits: encryption(bits, "full"), decryption):
        assert count(3072).private > count(2048).private
    assert rerandomising(3072).public > rerandomising(2048).public


def test_packing_spends_a_squaring_on_every_bit():
    """Slots that fill a plaintext take about as many squarings as it has bits, few slots or many."""
    assert packing(19, 105).public == pytest.approx(packing(10, 200).public, rel=0.1)
    assert packing(1, 105).public == 0


@pytest.mark.parametrize(("rows", "columns"), [(500, 4), (20_000, 6), (20_000, 7)])
def test_independent_columns_share_as_counted(rows, columns):
    """The formula for independent columns is what a plan on such columns takes."""
    bins = np.asfortranarray(np.random.default_rng(0).integers(0, 32, (rows, columns)).astype(np.uint8))
    counting, node = Counting(), np.arange(rows)
    sums = EncryptedHistogram(counting, plan(bins, np.full(columns, 32), np.arange(columns)))
    sums.sum_by_bin(np.zeros((rows, 1), np.uint64), node, node)
    assert independent_sums(rows, columns, 32, rows) == pytest.approx(counting.multiplications, rel=0.1)


def test_half_of_the_nodes_of_a_level_are_summed():
    """Of every pair of siblings one is summed: in a full tree of depth 5 the root, and 1, 2, 4, 8 nodes."""
    assert [level.nodes for level in levels(5)] == [1, 1, 2, 4, 8]
    assert levels(1) == [(1, 1.0)]
    assert sum(level.nodes * level.fraction for level in levels(5)) == pytest.approx(1 + 4 * LEVEL_SHARE)
