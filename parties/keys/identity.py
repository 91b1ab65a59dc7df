"""A party's Ed25519 key: what it signs contracts and ledger heads with.

The TLS key says who is on the line; it is renewed with its certificate and leaves nothing behind. The
identity outlives it, and what it has signed can be shown to anybody later. Signatures are those of RFC 8032.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parties.config import Config
from parties.config.files import write_private
from vfl.errors import BadSignature, KeyFileError

FILE = "identity/key.pem"
"""The key's place in a party directory."""

Subject = Literal["contract", "approval", "ledger head"]
"""What a signature is about. It goes into the signed bytes, so that none can pass for one of another kind."""


class Identity:
    """A party's key; make one with :func:`create`, open it with :func:`load`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """The public key, 64 hex digits: what peers write as ``identity``."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, subject: Subject, content: bytes) -> bytes:
        """Return the signature of a content, 64 bytes."""
        return self._key.sign(_signed(subject, content))


def file_of(config: Config) -> Path:
    """Return where a party's identity is kept."""
    return config.path(FILE)


def create(file: Path) -> Identity:
    """Make an identity and write it 0600.

    Raises:
        FileExistsError: there is one already; it is not replaced.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(file, pem, replace=False)
    return Identity(key)


def load(config: Config) -> Identity:
    """Open a party's identity.

    Raises:
        KeyFileError: it is missing, damaged, or can be read by others.
    """
    return open_file(file_of(config))


def open_file(file: Path) -> Identity:
    """Open an identity in a file; raises KeyFileError as :func:`load` does."""
    try:
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file} can be read by others; run: chmod 600 {file}")
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError:
        raise KeyFileError(f"{file} is missing; restore it, or make it with `vfl party identity`") from None
    except (ValueError, TypeError, OSError):
        raise KeyFileError(f"{file} cannot be read as a key; restore it") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file} is not an Ed25519 key; restore it")
    return Identity(key)


def verify(public: str, subject: Subject, content: bytes, signature: bytes) -> None:
    """Return quietly where the holder of a key signed a content.

    Args:
        public: the public key, 64 hex digits.

    Raises:
        BadSignature: it did not.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(signature, _signed(subject, content))
    except (InvalidSignature, ValueError):
        raise BadSignature(
            f"the signature of the {subject} is not by the identity that it names; compare identities"
        ) from None


def _signed(subject: Subject, content: bytes) -> bytes:
    return f"vfl {subject} v1\0".encode() + content
