"""Packed sums: what the label party opens are the sums of whole numbers that the rows had."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vfl.aggregation.packed_sums import SumOpener, SumPacker
from vfl.crypto.kernel import from_ints
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.errors import BadCiphertext, MalformedMessage, OutOfRange

ROWS = 40
PACKING = GradientPacking(10, ROWS, 2.0, 1.0)
MOST_G, MOST_H = PACKING.largest_g, PACKING.largest_h


class Parties:
    """A feature party that packs sums, and a label party that opens them."""

    def __init__(self, key):
        self.key = key.public_key
        self.encryptor, self.decryptor = Encryptor(key), Decryptor(key)
        self.packer = SumPacker(self.key, PACKING)
        self.opener = SumOpener(self.key, self.decryptor, PACKING)

    def residues(self, g, h):
        """Return the ciphertexts of rows as the feature party takes them in."""
        return check_ciphertexts(self.key, self.encryptor.encrypt(PACKING.pack(np.array(g), np.array(h))))

    def sums(self, residues, groups):
        """Return the encrypted sum of each group of rows."""
        return np.concatenate([self.key.modulus.product(residues[rows]) for rows in groups])

    def slots(self, count):
        return PACKING.slots_per_ciphertext(count, self.key.bits)


@pytest.fixture(scope="module")
def parties(private_key):
    return Parties(private_key)


PAIRS = st.tuples(st.integers(-MOST_G, MOST_G), st.integers(0, MOST_H))


@st.composite
def grouped_rows(draw):
    """Draw rows with two numbers each, and groups of them, which may overlap."""
    rows = draw(st.lists(PAIRS, min_size=1, max_size=ROWS))
    row = st.integers(0, len(rows) - 1)
    group = st.lists(row, min_size=1, max_size=len(rows), unique=True)
    groups = draw(st.lists(group, min_size=1, max_size=8))
    repeats = draw(st.sampled_from([1, 1, 12]))  # more sums than one ciphertext holds
    return np.array(rows, dtype=np.int64), groups * repeats


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=grouped_rows())
def test_what_is_opened_are_the_sums_of_whole_numbers(parties, case):
    """Whatever the rows and their groups, both numbers of every sum come back exactly."""
    rows, groups = case
    count = max(map(len, groups))
    encrypted = parties.sums(parties.residues(rows[:, 0], rows[:, 1]), groups)
    data = parties.packer.pack(encrypted, count)
    first, second = parties.opener.open("telco", data, len(groups), count)
    assert first.tolist() == [rows[group, 0].sum() for group in groups]
    assert second.tolist() == [rows[group, 1].sum() for group in groups]


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sums_fit(parties, sign):
    """All rows at their bounds, next to empty-handed ones, do not run into one another's slots."""
    g, h = np.full(ROWS, sign * MOST_G), np.full(ROWS, MOST_H)
    encrypted = parties.sums(parties.residues(g, h), [range(ROWS)])
    zero = parties.residues([0], [0])
    data = parties.packer.pack(np.concatenate([encrypted, zero, encrypted]), ROWS)
    first, second = parties.opener.open("telco", data, 3, ROWS)
    assert first.tolist() == [sign * MOST_G * ROWS, 0, sign * MOST_G * ROWS]
    assert second.tolist() == [MOST_H * ROWS, 0, MOST_H * ROWS]


@pytest.mark.parametrize("more", [-1, 0, 1], ids=["one fewer than full", "full", "one more than full"])
def test_many_sums_share_a_ciphertext(parties, more):
    """There are as many ciphertexts as the slots need, so the reply is short."""
    slots = parties.slots(1)
    assert slots > 10
    n_sums = slots + more
    row = parties.residues([-5], [3])
    data = parties.packer.pack(np.repeat(row, n_sums, axis=0), 1)
    assert len(data) == 8 * parties.key.limbs * (2 if more == 1 else 1)
    first, second = parties.opener.open("telco", data, n_sums, 1)
    assert (first == -5).all()
    assert (second == 3).all()
    assert len(first) == len(second) == n_sums


def test_a_packing_shows_nothing_of_the_ciphertexts_it_was_made_of(parties):
    """Two packings of the same sums have no ciphertext in common, and the same plaintexts."""
    slots = parties.slots(1)
    sums = np.repeat(parties.residues([7, -7], [1, 0]), slots, axis=0)
    first, second = (
        np.frombuffer(parties.packer.pack(sums, 1), "<u8").reshape(-1, parties.key.limbs) for _ in range(2)
    )
    assert len(first) == len(second) == 2
    assert not (first[:, None] == second).all(axis=2).any()
    assert np.array_equal(parties.decryptor.decrypt(first), parties.decryptor.decrypt(second))


def test_a_single_sum_is_not_sent_as_it_was_received(parties):
    """The ciphertext of one row alone leaves re-randomised, so it does not show which row it was."""
    row = parties.residues([9], [2])
    data = parties.packer.pack(row, 1)
    assert data != parties.key.modulus.from_residues(row).astype("<u8").tobytes()
    assert [sums.tolist() for sums in parties.opener.open("telco", data, 1, 1)] == [[9], [2]]


@pytest.mark.parametrize("change", ["none", "one more", "another number of sums", "a cut ciphertext"])
def test_another_number_of_ciphertexts_is_refused(parties, change):
    """A reply that cannot hold just the sums that were asked for is no reply."""
    data = parties.packer.pack(parties.residues([1, 2], [1, 1]), 1)
    n_sums = 2
    if change == "none":
        data = b""
    elif change == "one more":
        data *= 2
    elif change == "another number of sums":
        n_sums = parties.slots(1) + 1
    else:
        data = data[:-8]
    with pytest.raises(MalformedMessage):
        parties.opener.open("telco", data, n_sums, 1)


def test_what_is_no_ciphertext_is_refused_before_it_is_decrypted(parties):
    """Zero, what shares a prime with the key, and what is not below n^2 do not reach the private key."""
    n, limbs = parties.key.n, parties.key.limbs
    for bad in (0, n, n**2 + 1):  # the last would decrypt to zero
        with pytest.raises(BadCiphertext):
            parties.opener.open("telco", from_ints([bad], limbs).tobytes(), 1, 1)


def test_sums_beyond_what_their_rows_can_have_are_refused(parties):
    """A feature party that adds more rows than it says is caught where the sum shows it."""
    rows = parties.residues([MOST_G] * 3, [MOST_H] * 3)
    data = parties.packer.pack(parties.sums(rows, [range(3)]), 2)
    with pytest.raises(OutOfRange):
        parties.opener.open("telco", data, 1, 2)


def test_more_sums_than_were_asked_for_are_refused(parties):
    """What lies in slots beyond the last sum is no sum, and nothing of the reply is believed."""
    data = parties.packer.pack(parties.residues([1, 2, 3], [1, 1, 1]), 1)
    with pytest.raises(OutOfRange):
        parties.opener.open("telco", data, 2, 1)
