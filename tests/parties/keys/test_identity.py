"""Identities: a key of each party, and signatures that hold for one content of one kind."""

from __future__ import annotations

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from parties.config import Config
from parties.keys import identity
from parties.keys.identity import Identity, Subject
from parties.storage import party_directory as directory
from vfl.errors import BadSignature, ConfigError, KeyFileError

KEY = Identity(Ed25519PrivateKey.generate())


def test_a_party_has_an_identity_that_only_it_can_read(bank: Config) -> None:
    """It is made with the party directory, for its owner's eyes, and never replaced."""
    file = identity.file_of(bank)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = identity.load(bank).public
    with pytest.raises(ConfigError, match="exists already"):
        directory.new_identity(bank)
    assert identity.load(bank).public == before


def test_the_signature_is_that_of_rfc_8032() -> None:
    """Test vector 1 of RFC 8032, section 7.1, gives the public key; the signature is over our prefix."""
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = Ed25519PrivateKey.from_private_bytes(secret)
    held = Identity(key)
    assert held.public == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert held.sign("contract", b"terms") == key.sign(b"vfl contract v1\x00terms")


@given(content=st.binary(max_size=64), at=st.integers(0, 511))
def test_one_flipped_bit_is_found(content: bytes, at: int) -> None:
    """A signature holds as it was made and with no bit changed."""
    signature = KEY.sign("contract", content)
    identity.verify(KEY.public, "contract", content, signature)
    changed = bytearray(signature)
    changed[at // 8] ^= 1 << at % 8
    with pytest.raises(BadSignature):
        identity.verify(KEY.public, "contract", content, bytes(changed))


def test_a_signature_holds_for_one_kind_content_and_key() -> None:
    """What was signed as a contract is no ledger head, no other content, and nobody else's."""
    signature = KEY.sign("contract", b"terms")
    other = Identity(Ed25519PrivateKey.generate()).public
    asked: list[tuple[str, Subject, bytes]] = [
        (KEY.public, "ledger head", b"terms"),
        (KEY.public, "contract", b"term"),
        (other, "contract", b"terms"),
        ("00" * 5, "contract", b"terms"),
        ("zz" * 32, "contract", b"terms"),
    ]
    for public, subject, content in asked:
        with pytest.raises(BadSignature):
            identity.verify(public, subject, content, signature)


def test_a_key_that_cannot_be_used_is_explained(bank: Config) -> None:
    """Readable by others, damaged, or gone: each is told with its remedy."""
    file = identity.file_of(bank)
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        identity.load(bank)
    file.chmod(0o600)
    file.write_bytes(b"not a key")
    with pytest.raises(KeyFileError, match="restore it"):
        identity.load(bank)
    file.unlink()
    with pytest.raises(KeyFileError, match="vfl party identity"):
        identity.load(bank)
    assert directory.new_identity(bank) == identity.load(bank).public
