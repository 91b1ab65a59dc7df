"""A party directory: made whole or not at all, and changed only by what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties import config as configuration
from parties.config import Config
from parties.keys import identity, tls
from parties.storage import party_directory
from vfl.errors import ConfigError

DATA = {"source": "rows.csv", "keys": {"id": "the id"}, "recipe": ["id: strip"], "label": "default"}


def test_a_directory_is_made_whole(tmp_path: Path) -> None:
    """Configuration, certificate and identity; nobody else can enter."""
    config = party_directory.create(
        tmp_path / "bank", name="bank", role="label", data=DATA, dev_ca=tmp_path / "ca"
    )
    assert config == configuration.load(tmp_path / "bank")
    assert config.data.keys == {"id": "the id"}
    assert tls.files_of(config).certificate.exists()
    assert len(identity.load(config).public) == 64
    assert (tmp_path / "bank").stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConfigError, match="exists already"):
        party_directory.create(tmp_path / "bank", name="bank", role="label", data=DATA)


def test_a_mistake_makes_no_directory(tmp_path: Path) -> None:
    """It is named before anything is written."""
    with pytest.raises(ConfigError, match=r"data\.label"):
        party_directory.create(tmp_path / "bank", name="bank", role="label", data=DATA | {"label": None})
    assert not (tmp_path / "bank").exists()


def test_a_peer_is_added_once_and_only_if_it_is_right(bank: Config) -> None:
    """The rest of the file stays as it is."""
    file = bank.directory / "party.toml"
    before = file.read_text()
    peer = {"fingerprint": "a" * 64, "identity": "5" * 64, "url": "https://bureau.test"}
    with pytest.raises(ConfigError, match=r"peers\.bureau\.url"):
        party_directory.add_peer(bank.directory, "bureau", peer | {"url": "http://bureau.test"})
    assert file.read_text() == before
    config = party_directory.add_peer(bank.directory, "bureau", peer)
    assert config.peers["bureau"].url == "https://bureau.test"
    assert file.read_text().startswith(before)
    with pytest.raises(ConfigError, match="bureau"):
        party_directory.add_peer(bank.directory, "bureau", peer)
