"""A private key as bytes under a password: authenticated, versioned, and one error for every failure.

Layout: ``"VFLKEY"``, version 1, log2 of the scrypt cost, 16 bytes of salt, 12 bytes of nonce, then
AES-256-GCM over p and q (little-endian, equal halves) with everything before it as associated data.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from vfl.crypto.keys import MAX_BITS, PrivateKey
from vfl.errors import KeyFileError, ParameterError

MAGIC = b"VFLKEY\x01"
LOG2_COST = 16  # 64 MiB and about 0.2 s with r = 8: between RFC 7914's interactive and file figures
SALT_BYTES = 16
NONCE_BYTES = 12
HEADER_BYTES = len(MAGIC) + 1 + SALT_BYTES + NONCE_BYTES


def _cipher(password: bytes, salt: bytes, log2_cost: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << log2_cost, r=8, p=1).derive(password))


def seal(private_key: PrivateKey, password: bytes) -> bytes:
    """Encrypt a private key.

    Raises:
        ParameterError: the password is empty.
    """
    if not password:
        raise ParameterError("a key file needs a password")
    half = (private_key.p.bit_length() + 7) // 8
    plain = private_key.p.to_bytes(half, "little") + private_key.q.to_bytes(half, "little")
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    header = MAGIC + bytes([LOG2_COST]) + salt + nonce
    return header + _cipher(password, salt, LOG2_COST).encrypt(nonce, plain, header)


def open_sealed(data: bytes, password: bytes) -> PrivateKey:
    """The private key that :func:`seal` encrypted.

    Raises:
        KeyFileError: a wrong password, or bytes that are damaged or of another version; which of them
            is not told.
    """
    error = KeyFileError("the key file does not open: wrong password, or a damaged file")
    header, sealed = data[:HEADER_BYTES], data[HEADER_BYTES:]
    if len(sealed) > MAX_BITS // 8 + 16 or not header.startswith(MAGIC) or header[len(MAGIC)] != LOG2_COST:
        raise error
    salt, nonce = header[-SALT_BYTES - NONCE_BYTES : -NONCE_BYTES], header[-NONCE_BYTES:]
    try:
        plain = _cipher(password, salt, LOG2_COST).decrypt(nonce, sealed, header)
        half = len(plain) // 2
        return PrivateKey(int.from_bytes(plain[:half], "little"), int.from_bytes(plain[half:], "little"))
    except (InvalidTag, ParameterError, ValueError, IndexError):
        raise error from None
