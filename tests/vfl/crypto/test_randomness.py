"""Fresh randomness for ciphertexts, by who holds no private key."""

import gmpy2
import numpy as np

from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer, random_rows, random_unit


def test_rerandomised_ciphertexts_keep_their_plaintext(private_key):
    """Same sums, other ciphertexts, also of the trivial ciphertext 1 that an empty bin has."""
    modulus = private_key.public_key.modulus
    plain = from_ints([5, -7, 0], 1, signed=True)
    residues = check_ciphertexts(private_key.public_key, Encryptor(private_key).encrypt(plain))
    residues = np.concatenate([residues, modulus.to_residues(from_ints([1, 1], 64))])
    fresh = modulus.from_residues(Rerandomizer(private_key.public_key).rerandomize(residues))
    assert to_ints(Decryptor(private_key).decrypt(fresh), signed=True) == [5, -7, 0, 0, 0]
    assert len(np.unique(np.concatenate([fresh, modulus.from_residues(residues)]), axis=0)) == 9


def test_rerandomisation_leaves_no_coset(short_key):
    """Who knows p and q sees every pair of quadratic characters, which no powers of one base could show."""
    n, modulus = short_key.public_key.n, short_key.public_key.modulus
    ones = modulus.to_residues(from_ints([1] * 200, modulus.limbs))
    noise = to_ints(modulus.from_residues(Rerandomizer(short_key.public_key).rerandomize(ones)))
    assert {(gmpy2.legendre(r, short_key.p), gmpy2.legendre(r, short_key.q)) for r in noise} == {
        (a, b) for a in (-1, 1) for b in (-1, 1)
    }
    phi = (short_key.p - 1) * (short_key.q - 1)
    assert all(pow(r, phi, n**2) == 1 for r in noise)


def test_random_exponents_keep_to_their_bits():
    """Exponents fill exactly the bits asked for, and a unit is coprime with its modulus."""
    rows = to_ints(random_rows(500, 70))
    assert 2**69 < max(rows) < 2**70
    assert len(set(rows)) == 500
    assert all(gmpy2.gcd(random_unit(15), 15) == 1 for _ in range(50))
