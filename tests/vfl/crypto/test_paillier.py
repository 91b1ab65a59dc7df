"""Keys, encryption, decryption and the checks on foreign ciphertexts."""

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.crypto import paillier
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, PublicKey, check_ciphertexts
from vfl.errors import BadCiphertext, OutOfRange, ParameterError

PROFILES = pytest.mark.parametrize("profile", ["short", "full"])


@PROFILES
def test_signed_integers_survive_encryption(private_key, profile):
    """What is encrypted comes back, negative numbers and extremes too, at the default key size."""
    plain = [0, 1, -1, 2**127 - 1, -(2**127), 12345678901234567890, -5]
    ciphertexts = Encryptor(private_key, profile).encrypt(from_ints(plain, 2, signed=True))
    assert ciphertexts.shape == (7, 64)
    assert to_ints(Decryptor(private_key).decrypt(ciphertexts), signed=True) == plain


@PROFILES
def test_products_decrypt_to_sums(short_key, profile):
    """Any two ciphertexts multiply to a ciphertext of the sum, and a power is a multiple."""
    encryptor, decryptor = Encryptor(short_key, profile), Decryptor(short_key)
    modulus = short_key.public_key.modulus

    word = st.integers(-(2**63), 2**63 - 1)

    @settings(max_examples=20, deadline=None, database=None)
    @given(st.lists(st.tuples(word, word), min_size=1))
    def check(pairs):
        a, b = (
            check_ciphertexts(short_key.public_key, encryptor.encrypt(from_ints(list(side), 1, signed=True)))
            for side in zip(*pairs, strict=True)
        )
        summed = decryptor.decrypt(modulus.from_residues(modulus.multiply(a, b)))
        assert to_ints(summed, signed=True) == [x + y for x, y in pairs]
        tripled = decryptor.decrypt(modulus.from_residues(modulus.power(a, b"\x03")))
        assert to_ints(tripled, signed=True) == [3 * x for x, _ in pairs]

    check()


def test_decryption_covers_the_whole_signed_range(short_key):
    """From -n/2 to n/2: the largest plaintexts come back with their sign."""
    n, modulus = short_key.public_key.n, short_key.public_key.modulus
    plain = [n // 2, -(n // 2), n // 2 - 1, 1, 0, -1]
    ciphertexts = from_ints([(1 + m * n) % n**2 * pow(3, n, n**2) % n**2 for m in plain], modulus.limbs)
    assert to_ints(Decryptor(short_key).decrypt(ciphertexts), signed=True) == plain


@PROFILES
def test_every_ciphertext_has_fresh_randomness(short_key, profile):
    """Encrypting one plaintext many times, in one batch or two, never repeats a ciphertext."""
    encryptor, plain = Encryptor(short_key, profile), np.ones((200, 1), dtype=np.uint64)
    ciphertexts = np.concatenate([encryptor.encrypt(plain), encryptor.encrypt(plain)])
    assert len(np.unique(ciphertexts, axis=0)) == 400


@PROFILES
def test_prepared_randomness_is_used_once(short_key, profile):
    """Randomness made ahead decrypts alike, repeats no ciphertext, and is used up by as many rows."""
    encryptor, plain = Encryptor(short_key, profile), np.full((100, 1), 7, dtype=np.uint64)
    encryptor.prepare(150)
    assert encryptor.prepared == 150
    ciphertexts = np.concatenate([encryptor.encrypt(plain), encryptor.encrypt(plain)])
    assert encryptor.prepared == 0
    assert len(np.unique(ciphertexts, axis=0)) == 200
    assert set(to_ints(Decryptor(short_key).decrypt(ciphertexts), signed=True)) == {7}


@PROFILES
def test_randomness_is_an_nth_residue(short_key, profile):
    """A ciphertext of zero is an n-th residue of order dividing phi(n), as Paillier's are."""
    n, phi = short_key.public_key.n, (short_key.p - 1) * (short_key.q - 1)
    zeros = to_ints(Encryptor(short_key, profile).encrypt(np.zeros((5, 1), dtype=np.uint64)))
    assert all(pow(c, phi, n**2) == 1 != c for c in zeros)


def test_more_rows_than_a_chunk(short_key, monkeypatch):
    """Batches longer than one chunk come back whole and in order; an empty batch stays empty."""
    monkeypatch.setattr(paillier, "CHUNK_ROWS", 7)
    encryptor, decryptor = Encryptor(short_key), Decryptor(short_key)
    plain = from_ints(list(range(-8, 9)), 1, signed=True)
    assert to_ints(decryptor.decrypt(encryptor.encrypt(plain)), signed=True) == list(range(-8, 9))
    assert decryptor.decrypt(encryptor.encrypt(plain[:0])).shape == (0, short_key.public_key.plain_limbs)


def test_plaintexts_too_wide_are_refused(short_key):
    """A plaintext as wide as n could wrap around, so it raises."""
    with pytest.raises(ParameterError, match="words wide"):
        Encryptor(short_key).encrypt(np.zeros((1, short_key.public_key.plain_limbs), dtype=np.uint64))


def test_foreign_ciphertexts_are_checked(short_key):
    """Zero, too large, not coprime with n, and of the wrong width are refused, each by its own sentence."""
    key = short_key.public_key
    good = Encryptor(short_key).encrypt(np.ones((3, 1), dtype=np.uint64))
    assert to_ints(key.modulus.from_residues(check_ciphertexts(key, good))) == to_ints(good)
    for bad, sentence in [
        (0, "zero"),
        (key.n**2, "below"),
        (2 ** (64 * key.limbs) - 1, "below"),
        (key.n, "coprime"),
        (7 * short_key.p, "coprime"),
    ]:
        rows = good.copy()
        rows[1] = from_ints([bad], key.limbs)
        with pytest.raises(BadCiphertext, match=sentence):
            check_ciphertexts(key, rows)
    with pytest.raises(BadCiphertext, match="words wide"):
        check_ciphertexts(key, good[:, 1:].copy())


def test_what_is_no_encryption_does_not_decrypt(short_key):
    """A multiple of p has no plaintext; decryption says so instead of inventing one."""
    rows = from_ints([short_key.p * 3], short_key.public_key.limbs)
    with pytest.raises(BadCiphertext):
        Decryptor(short_key).decrypt(rows)


def test_keys_under_2048_bits_need_an_unsafe_name(short_key):
    """No ordinary constructor makes or accepts a short key."""
    with pytest.raises(ParameterError, match="2048"):
        paillier.generate(1024)
    with pytest.raises(ParameterError, match="2048"):
        PublicKey(short_key.public_key.n)
    with pytest.raises(ParameterError, match="2048"):
        PrivateKey(short_key.p, short_key.q)
    with pytest.raises(OutOfRange, match="2048"):
        PublicKey.from_bytes(short_key.public_key.to_bytes())


def test_public_keys_cross_the_wire(private_key):
    """Bytes and back; what cannot be a product of two primes is refused."""
    key = private_key.public_key
    assert PublicKey.from_bytes(key.to_bytes()) == key
    assert (key.bits, key.n_bytes, key.limbs, key.plain_limbs) == (2048, 256, 64, 32)
    even, square, prime = key.n + 1, (2**1100 + 1) ** 2, 2**2203 - 1
    for bad in (even, square, prime, 2**3072 + 1):
        with pytest.raises(OutOfRange):
            PublicKey.from_bytes(bad.to_bytes((bad.bit_length() + 7) // 8, "little"))
    for data in (b"", key.to_bytes() + b"\0"):
        with pytest.raises(OutOfRange):
            PublicKey.from_bytes(data)


def test_generated_primes_suit_both_profiles(private_key):
    """Both primes are 3 mod 4 and of half the key's length."""
    assert private_key.p % 4 == private_key.q % 4 == 3
    assert private_key.p.bit_length() == private_key.q.bit_length() == 1024


def test_private_keys_print_nothing_and_refuse_nonsense(private_key):
    """repr and str show the size alone; equal or composite factors raise."""
    assert str(private_key) == repr(private_key) == "<PrivateKey of 2048 bits>"
    with pytest.raises(ParameterError):
        PrivateKey(private_key.p, private_key.p)
    with pytest.raises(ParameterError):
        PrivateKey(private_key.p, private_key.q + 2)


def test_unknown_profiles_are_refused(short_key):
    """A misspelt profile is an error, not the default."""
    with pytest.raises(ParameterError, match="profile"):
        Encryptor(short_key, "fast")


def test_short_profile_needs_primes_3_mod_4():
    """A foreign key whose primes are 1 mod 4 encrypts with the full profile only."""
    p, q = 3 * 2**126 + 1, 3 * 2**126 + 3
    while not (gmpy2.is_prime(p) and p % 4 == 1):
        p += 2
    while not (gmpy2.is_prime(q) and q != p):
        q += 2
    key = PrivateKey.unsafe_short(p, q)
    with pytest.raises(ParameterError, match="full"):
        Encryptor(key, "short")
    ciphertexts = Encryptor(key, "full").encrypt(from_ints([-3], 1, signed=True))
    assert to_ints(Decryptor(key).decrypt(ciphertexts), signed=True) == [-3]
