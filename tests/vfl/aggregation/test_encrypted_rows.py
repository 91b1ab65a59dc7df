"""Ciphertexts of a tree: each row encrypted once for all who take it, and let go when all have."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vfl.aggregation.encrypted_rows import AHEAD_STEP, CHUNK_ROWS, encrypted_pairs, randomness_ahead
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, unsafe_generate

KEY = unsafe_generate(256)
ROWS = 3 * CHUNK_ROWS + 17
PACKING = GradientPacking(fraction_bits=20, n_rows=ROWS, max_abs_g=1.0, max_h=1.0)
RNG = np.random.default_rng(0)
G, H = RNG.integers(-(2**20), 2**20, ROWS), RNG.integers(0, 2**20, ROWS)
CHUNK_BYTES = CHUNK_ROWS * 8 * KEY.public_key.limbs


class Counting(Encryptor):
    """An encryptor that counts the rows it encrypts."""

    rows = 0

    def encrypt(self, plain):
        self.rows += len(plain)
        return super().encrypt(plain)


def encrypted_for(*known, order=None):
    """Gradients that parties knowing these rows are to take, and their encryptor."""
    recipients_per_row = np.bincount(np.concatenate(known), minlength=ROWS)
    order = np.flatnonzero(recipients_per_row) if order is None else order
    encryptor = Counting(KEY)
    return encryptor, encrypted_pairs(encryptor, PACKING, G, H, order, recipients_per_row)


def values_of(ciphertexts):
    """What one row in a hundred decrypts to, as (g, h)."""
    plain = Decryptor(KEY).decrypt(np.ascontiguousarray(ciphertexts[::100]))
    g, h = PACKING.unpack(plain, 1, PACKING.slot_bits(1), len(plain), 1)
    return np.stack([g, h], axis=1)


def expected(rows):
    return np.stack([G[rows], H[rows]], axis=1)[::100]


def test_each_asked_row_has_its_own_gradient():
    """Rows asked in any order come back as ciphertexts of just their gradients and hessians."""
    rows = RNG.permutation(ROWS)[: CHUNK_ROWS + 5]
    _, encrypted = encrypted_for(rows, order=np.sort(rows))
    np.testing.assert_array_equal(values_of(encrypted.ciphertexts(rows)), expected(rows))


def test_a_lone_party_leaves_nothing_in_memory():
    """What the only party has taken in order is let go, so that memory does not grow with the rows."""
    encryptor, encrypted = encrypted_for(np.arange(ROWS))
    for start in range(0, ROWS, 1000):
        encrypted.ciphertexts(np.arange(start, min(start + 1000, ROWS)))
        assert encrypted.held_bytes <= CHUNK_BYTES
    assert (encrypted.held_bytes, encryptor.rows) == (0, ROWS)


def test_parties_share_one_encryption_of_a_row():
    """A row that several parties know is encrypted once, kept until the last has it, and then let go."""
    known = [np.arange(ROWS), np.arange(0, ROWS, 3)]
    encryptor, encrypted = encrypted_for(*known)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda rows: [encrypted.ciphertexts(rows[at : at + 500]) for at in range(0, len(rows), 500)],
            known,
        )
    first, second = np.concatenate(first), np.concatenate(second)
    np.testing.assert_array_equal(first[::3], second)
    np.testing.assert_array_equal(values_of(first), expected(known[0]))
    assert (encrypted.held_bytes, encryptor.rows) == (0, ROWS)


@pytest.mark.parametrize("second_starts", [CHUNK_ROWS, ROWS])
def test_a_party_that_lags_keeps_only_what_it_has_yet_to_take(second_starts):
    """Rows of one party alone are let go although another has not begun."""
    known = [np.arange(ROWS), np.arange(ROWS - second_starts, ROWS)]
    _, encrypted = encrypted_for(*known)
    encrypted.ciphertexts(known[0])
    whole_chunks = -(-second_starts // CHUNK_ROWS)
    assert 0 < encrypted.held_bytes <= (whole_chunks + 1) * CHUNK_BYTES
    encrypted.ciphertexts(known[1])
    assert encrypted.held_bytes == 0


def test_rows_outside_the_asked_chunks_are_not_encrypted():
    """A party that takes no part in a tree costs no encryption of the rows that it alone knows."""
    encryptor, encrypted = encrypted_for(np.arange(ROWS))
    encrypted.ciphertexts(np.arange(2 * CHUNK_ROWS, 2 * CHUNK_ROWS + 10))
    assert encryptor.rows == CHUNK_ROWS


def test_randomness_is_made_ahead_once_a_tree_is_encrypted():
    """Nothing is made ahead while rows of the tree are still to be encrypted, and then no more than asked."""
    rows = np.arange(ROWS)
    encryptor, encrypted = encrypted_for(rows)
    with randomness_ahead(encryptor, 1_000) as ahead:
        ahead(encrypted.complete)
        encrypted.ciphertexts(rows[: 3 * CHUNK_ROWS])
        time.sleep(0.05)
        assert encryptor.prepared == 0
        encrypted.ciphertexts(rows[3 * CHUNK_ROWS :])
        for _ in range(500):
            if encryptor.prepared >= 1_000:
                break
            time.sleep(0.01)
    assert 1_000 <= encryptor.prepared < 1_000 + AHEAD_STEP


def test_what_runs_ahead_ends_with_the_training():
    """Leaving training stops the thread, also where a tree was never encrypted to its end."""
    encryptor, encrypted = encrypted_for(np.arange(ROWS))
    before = threading.active_count()
    with randomness_ahead(encryptor, ROWS) as ahead:
        ahead(encrypted.complete)
    assert threading.active_count() == before
    assert encryptor.prepared == 0
