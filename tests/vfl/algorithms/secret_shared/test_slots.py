"""Masked numbers side by side in a plaintext."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.algorithms.secret_shared.slots import Slots, low_words, number
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.crypto.randomness import STATISTICAL_BITS, Rerandomizer
from vfl.errors import OutOfRange


@given(st.integers(1, 120), st.sampled_from([2048, 3072]), st.data())
def test_number_and_mask_stay_in_their_slot(bits, key_bits, data):
    """The largest number and the largest mask, in every slot, decrypt to a positive number below n / 2."""
    slots = Slots(bits, key_bits)
    largest_mask = 2 ** (slots.layout.width - 1) - 1
    assert (2**bits - 1) + largest_mask < 2**slots.layout.width
    assert largest_mask.bit_length() >= bits + STATISTICAL_BITS
    assert slots.layout.width * slots.per_plaintext <= key_bits - 2
    numbers = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=slots.per_plaintext))
    total = sum((value + largest_mask) << (slots.layout.width * slot) for slot, value in enumerate(numbers))
    opened = slots.unpack(from_ints([total], key_bits // 64))
    assert [number(opened[0, slot]) - largest_mask for slot in range(len(numbers))] == numbers


def test_masks_fill_half_of_every_slot():
    """Every bit of a mask but the top one is drawn; of 2,000 masks no two are equal."""
    slots = Slots(30, 2048)
    masks = slots.masks(100)
    drawn = masks.view(np.uint8)
    assert not drawn[:, :, slots.width :].any()
    bits = np.unpackbits(drawn[:, :, : slots.width], axis=-1, bitorder="little").reshape(
        -1, slots.layout.width
    )
    assert not bits[:, -1].any()
    fraction = bits[:, :-1].mean(axis=0)
    assert (np.abs(fraction - 0.5) < 0.1).all()
    assert (
        len({mask.tobytes() for mask in masks.reshape(-1, slots.layout.words)}) == 100 * slots.per_plaintext
    )


def test_cover_adds_masks_under_encryption(private_key):
    """What is decrypted is number plus mask, slot by slot, and the ciphertext is a new one."""
    key = private_key.public_key
    slots = Slots(40, key.bits)
    values = np.arange(2 * slots.per_plaintext).reshape(2, -1) * 2**25 + 2**31
    ciphertexts = Encryptor(private_key).encrypt(slots.pack(values))
    masks = slots.masks(2)
    residues = key.modulus.to_residues(ciphertexts)
    covered = slots.cover(key, Rerandomizer(key), residues, masks)
    data = np.frombuffer(covered, dtype="<u8").reshape(2, key.limbs)
    opened = slots.unpack(Decryptor(private_key).decrypt(data))
    assert (low_words(opened) - low_words(masks) == values.astype(np.uint64)).all()
    assert number(opened[1, 3]) - number(masks[1, 3]) == values[1, 3]
    assert not set(to_ints(data)) & set(to_ints(ciphertexts))


@pytest.mark.parametrize("plaintext", [-1, 1 << 2046])
def test_what_is_no_row_of_slots_is_refused(plaintext):
    """A negative plaintext, and one that is longer than all slots."""
    with pytest.raises(OutOfRange):
        Slots(40, 2048).unpack(from_ints([plaintext], 32, signed=True))
