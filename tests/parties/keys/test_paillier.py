"""The key file: made once, private, opened by its password alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from parties.config import Config
from parties.keys.paillier import PASSWORD_VARIABLE, private_key
from vfl.errors import KeyFileError


def test_a_key_is_made_once_and_opens_with_its_password(
    bank: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call opens what the first made; another password does not, and the file is private."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "one")
    made = private_key(bank)
    assert made.public_key.bits == 2048
    assert private_key(bank) == made
    file = bank.path(bank.crypto.key_file)
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(PASSWORD_VARIABLE, "two")
    with pytest.raises(KeyFileError, match="does not open"):
        private_key(bank)
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        private_key(bank)


def test_a_password_can_come_from_a_private_file(
    bank: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password file works while only its owner can read it; without any password the remedy is told."""
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(KeyFileError, match=f"set {PASSWORD_VARIABLE}"):
        private_key(bank)
    file = tmp_path / "password"
    file.write_text("one\n")
    crypto = msgspec.structs.replace(bank.crypto, password_file=str(file))
    config = msgspec.structs.replace(bank, crypto=crypto)
    file.chmod(0o644)
    with pytest.raises(KeyFileError, match="mode 600"):
        private_key(config)
    file.chmod(0o600)
    made = private_key(config)
    monkeypatch.setenv(PASSWORD_VARIABLE, "one")
    assert private_key(bank) == made
