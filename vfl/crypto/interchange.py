"""Keys and ciphertexts to and from ``phe`` (python-paillier), which judges this package in its tests.

Ciphertexts travel as ``phe.EncryptedNumber`` with exponent 0: plain integers. ``phe`` is imported only
when one of these functions is called (``pip install vfl[phe]``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vfl.crypto.kernel import Limbs, from_ints, to_ints
from vfl.crypto.keys import PrivateKey, PublicKey
from vfl.errors import BadCiphertext, ConfigError

if TYPE_CHECKING:
    import phe


def _phe() -> Any:
    try:
        import phe  # noqa: PLC0415  an optional dependency
    except ImportError:
        raise ConfigError('phe is not installed: pip install "vfl[phe]"') from None
    return phe


def public_key_to_phe(key: PublicKey) -> phe.PaillierPublicKey:
    return _phe().PaillierPublicKey(key.n)


def public_key_from_phe(key: phe.PaillierPublicKey) -> PublicKey:
    """Raises ParameterError if the key is shorter than 2048 bits or otherwise unacceptable."""
    return PublicKey(key.n)


def private_key_to_phe(key: PrivateKey) -> phe.PaillierPrivateKey:
    return _phe().PaillierPrivateKey(public_key_to_phe(key.public_key), key.p, key.q)


def private_key_from_phe(key: phe.PaillierPrivateKey) -> PrivateKey:
    """Raises ParameterError if the key is shorter than 2048 bits or otherwise unacceptable.

    phe's primes need not be 3 mod 4: such a key encrypts with the profile ``full`` only.
    """
    return PrivateKey(key.p, key.q)


def ciphertexts_to_phe(key: PublicKey, ciphertexts: Limbs) -> list[phe.EncryptedNumber]:
    """One ``EncryptedNumber`` of exponent 0 a row."""
    public_key, number = public_key_to_phe(key), _phe().EncryptedNumber
    return [number(public_key, value, exponent=0) for value in to_ints(ciphertexts)]


def ciphertexts_from_phe(key: PublicKey, numbers: list[phe.EncryptedNumber]) -> Limbs:
    """Rows ``[n, key.limbs]``; phe adds its own fresh randomness first where its number has none yet.

    Raises:
        BadCiphertext: a number of another key, or with an exponent that is not 0.
    """
    if any(number.public_key.n != key.n or number.exponent != 0 for number in numbers):
        raise BadCiphertext("only integers (exponent 0) under the same key can be taken from phe")
    return from_ints([number.ciphertext() for number in numbers], key.limbs)
