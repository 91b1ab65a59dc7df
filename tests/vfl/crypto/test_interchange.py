"""phe, another implementation of the same scheme, opens what is made here and the other way round."""

import builtins

import pytest

from vfl.crypto import interchange
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts, generate
from vfl.errors import BadCiphertext, ConfigError, ParameterError

phe = pytest.importorskip("phe", reason="phe, the judge, is not installed")

PLAIN = [0, 1, -1, 2**100, -(2**100) + 7]


@pytest.mark.parametrize("profile", ["short", "full"])
def test_phe_decrypts_what_is_encrypted_here(private_key, profile):
    """Keys and ciphertexts made here open in phe, signs included, and so do sums made here."""
    key, modulus = private_key.public_key, private_key.public_key.modulus
    ciphertexts = Encryptor(private_key, profile).encrypt(from_ints(PLAIN, 2, signed=True))
    theirs = interchange.private_key_to_phe(private_key)
    assert [theirs.decrypt(c) for c in interchange.ciphertexts_to_phe(key, ciphertexts)] == PLAIN
    total = modulus.from_residues(modulus.product(check_ciphertexts(key, ciphertexts)))
    assert theirs.decrypt(interchange.ciphertexts_to_phe(key, total)[0]) == sum(PLAIN)


def test_what_phe_encrypts_decrypts_here():
    """phe's keys and ciphertexts open here, and so do sums that phe made."""
    theirs_public, theirs = phe.generate_paillier_keypair(n_length=2048)
    key = interchange.private_key_from_phe(theirs)
    assert interchange.public_key_from_phe(theirs_public) == key.public_key
    numbers = [theirs_public.encrypt(m) for m in PLAIN]
    numbers.append(numbers[3] + numbers[4])
    rows = interchange.ciphertexts_from_phe(key.public_key, numbers)
    check_ciphertexts(key.public_key, rows)
    assert to_ints(Decryptor(key).decrypt(rows), signed=True) == [*PLAIN, 7]


def test_mixed_sums_agree(private_key):
    """A ciphertext from here plus one from phe decrypts on both sides to the sum."""
    key = private_key.public_key
    encrypted = Encryptor(private_key).encrypt(from_ints([-9], 1, signed=True))
    mixed = interchange.ciphertexts_to_phe(key, encrypted)[0] + interchange.public_key_to_phe(key).encrypt(30)
    assert interchange.private_key_to_phe(private_key).decrypt(mixed) == 21
    rows = interchange.ciphertexts_from_phe(key, [mixed])
    assert to_ints(Decryptor(private_key).decrypt(rows), signed=True) == [21]


def test_other_keys_and_exponents_are_refused(private_key):
    """A float's exponent, another key's number and a short key do not slip in."""
    key = private_key.public_key
    float_number = interchange.public_key_to_phe(key).encrypt(0.5)
    foreign = interchange.public_key_to_phe(generate().public_key).encrypt(1)
    for number in (float_number, foreign):
        with pytest.raises(BadCiphertext):
            interchange.ciphertexts_from_phe(key, [number])
    with pytest.raises(ParameterError):
        interchange.public_key_from_phe(phe.PaillierPublicKey(2**1024 + 643))


def test_a_missing_phe_is_explained(private_key, monkeypatch):
    """Without phe the error says what to install."""
    real_import = builtins.__import__

    def without_phe(name, *args, **kwargs):
        if name == "phe":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_phe)
    with pytest.raises(ConfigError, match="pip install"):
        interchange.public_key_to_phe(private_key.public_key)
