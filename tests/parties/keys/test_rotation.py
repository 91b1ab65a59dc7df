"""New keys come into use without a moment in which a peer is refused, and nothing half-way is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from parties import config as configuration
from parties.config import Config
from parties.keys import rotation, tls
from parties.keys.paillier import PASSWORD_VARIABLE, private_key
from parties.label.party import LabelParty
from parties.link.handshake import shake_hands
from parties.link.transport import HttpsChannel
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ConfigError, KeyFileError, PeerRefused, PeerUnreachable


def fingerprint_of(config: Config) -> str:
    return tls.fingerprint_of_file(tls.files_of(config).certificate)


def ca_of(config: Config) -> Path:
    return config.directory.parent / "ca"


def heard(label: Config, feature: Config, serving: Any, join: Any) -> None:
    """Whether the two still talk: a greeting between them as they are configured now."""
    feature = configuration.load(feature.directory)
    with serving(feature) as url:
        text = (label.directory / "party.toml").read_text()
        if "[peers.bureau]" not in text:
            join(label, feature, "https://127.0.0.1:1")
            text = (label.directory / "party.toml").read_text()
        before = configuration.load(label.directory).peers["bureau"].url or ""
        (label.directory / "party.toml").write_text(text.replace(before, url))
        with HttpsChannel(configuration.load(label.directory)) as channel:
            shake_hands(channel, "bureau")


@pytest.mark.parametrize("who", ["bank", "bureau"])
def test_peers_talk_through_every_step_of_a_rotation(
    bank: Config, bureau: Config, serving: Any, join: Any, who: str
) -> None:
    """Made, expected, activated, concluded: after each step both ends still accept each other."""
    heard(bank, bureau, serving, join)
    mover, follower = (bank, bureau) if who == "bank" else (bureau, bank)
    old = fingerprint_of(mover)
    following = rotation.prepare_tls(mover, ca_of(mover))
    new = tls.fingerprint_of_file(following.certificate)
    heard(bank, bureau, serving, join)
    assert rotation.expect(follower.directory, who, new).peers[who].fingerprints == {old, new}
    heard(bank, bureau, serving, join)
    assert rotation.activate_tls(mover) == new == fingerprint_of(mover)
    heard(bank, bureau, serving, join)
    assert rotation.conclude(follower.directory, who).peers[who].fingerprints == {new}
    heard(bank, bureau, serving, join)


def test_who_was_not_told_does_not_accept_the_new_key(
    bank: Config, bureau: Config, serving: Any, join: Any
) -> None:
    """A genuine certificate that nobody announced opens nothing, at either end."""
    rotation.prepare_tls(bureau, ca_of(bureau))
    rotation.activate_tls(bureau)
    join(bank, bureau, "https://127.0.0.1:1", "0" * 64)
    with pytest.raises(PeerUnreachable, match="another certificate"):
        heard(bank, bureau, serving, join)
    text = (bank.directory / "party.toml").read_text().replace("0" * 64, fingerprint_of(bureau))
    (bank.directory / "party.toml").write_text(text)
    rotation.prepare_tls(bank, ca_of(bank))
    rotation.activate_tls(bank)
    with pytest.raises(PeerRefused, match="unknown_peer"):
        heard(bank, bureau, serving, join)


def test_a_rotation_that_broke_off_is_finished(bureau: Config) -> None:
    """The power may go between key and certificate: activating again ends with a pair that fits."""
    following = rotation.prepare_tls(bureau, ca_of(bureau))
    new = tls.fingerprint_of_file(following.certificate)
    os.replace(following.key, tls.files_of(bureau).key)
    with pytest.raises(ConfigError, match="do not belong together"):
        tls.server_context(tls.files_of(bureau))
    assert rotation.activate_tls(bureau) == new
    rotation.check_pair(tls.files_of(bureau))


def test_only_a_certificate_that_peers_can_accept_comes_into_use(bureau: Config, tmp_path: Path) -> None:
    """A certificate of another authority, or none at all, is refused and what is in use stays."""
    before = fingerprint_of(bureau)
    with pytest.raises(ConfigError, match="have its request signed"):
        rotation.activate_tls(bureau)
    following = rotation.prepare_tls(bureau, tmp_path / "other-ca")
    with pytest.raises(ConfigError, match="is not accepted under"):
        rotation.activate_tls(bureau)
    with pytest.raises(ConfigError, match="has a next key"):
        rotation.prepare_tls(bureau)
    assert fingerprint_of(bureau) == before
    assert following.key.stat().st_mode & 0o077 == 0


def test_a_request_asks_for_the_names_of_before(bureau: Config) -> None:
    """Without a development authority a request is left, for the hosts of the certificate in use."""
    following = rotation.prepare_tls(bureau)
    assert not following.certificate.exists()
    request = following.key.with_name("request.pem").read_text()
    assert "BEGIN CERTIFICATE REQUEST" in request
    assert rotation._hosts(tls.files_of(bureau).certificate) == ["localhost", "127.0.0.1"]


def test_the_configuration_is_changed_in_its_place_alone(bank: Config, bureau: Config) -> None:
    """Comments and other sections stay as they were; an unusual layout is left to a person."""
    file = bureau.directory / "party.toml"
    file.write_text("# ours\n" + file.read_text() + "\n# the end\n")
    before = file.read_text()
    rotation.expect(bureau.directory, "bank", "AB" * 32)
    rotation.expect(bureau.directory, "bank", "cd" * 32)
    assert file.read_text().replace(f'\nnext_fingerprint = "{"cd" * 32}"', "") == before
    file.write_text(before.replace("[peers.bank]", "[ peers . bank ]"))
    with pytest.raises(ConfigError, match="by hand"):
        rotation.expect(bureau.directory, "bank", "cd" * 32)
    with pytest.raises(ConfigError, match="no peer nobody"):
        rotation.expect(bureau.directory, "nobody", "cd" * 32)
    with pytest.raises(ConfigError, match="no next_fingerprint"):
        rotation.conclude(bureau.directory, "bank")


def test_a_paillier_key_is_replaced_under_the_same_password(
    bank: Config, bureau: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new key opens with the password, the old one is gone; a wrong password changes nothing."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "one")
    with pytest.raises(KeyFileError, match="makes it"):
        rotation.rotate_paillier(bank)
    old = private_key(bank)
    monkeypatch.setenv(PASSWORD_VARIABLE, "two")
    with pytest.raises(KeyFileError):
        rotation.rotate_paillier(bank)
    monkeypatch.setenv(PASSWORD_VARIABLE, "one")
    assert private_key(bank).public_key.n == old.public_key.n
    rotation.rotate_paillier(bank)
    assert private_key(bank).public_key.n != old.public_key.n
    assert len(list((bank.directory / "state").glob("*.key*"))) == 1
    with pytest.raises(ConfigError, match="feature party"):
        rotation.rotate_paillier(bureau)


@pytest.mark.parametrize("key_bits", [2048, 3072])
def test_a_training_that_was_broken_off_goes_on_under_the_new_key(
    bank: Config, bureau: Config, serve: Any, join: Any, monkeypatch: pytest.MonkeyPatch, key_bits: int
) -> None:
    """A Paillier key replaced between two trees, by a longer one too, changes no byte of the model."""

    class Killed(BaseException):
        pass

    def kill_after_one(trees: int, total: int, what: str) -> None:
        if trees == 1:
            raise Killed

    monkeypatch.setenv(PASSWORD_VARIABLE, "one")
    joined = join(bank, bureau, serve(bureau))
    params = TreeParams(n_estimators=2, max_depth=2, max_bin=4)
    with LabelParty(joined) as party:
        party.align(name="a1")
        party.train(name="undisturbed", params=params)
        with pytest.raises(Killed):
            party.train(name="m1", params=params, on_progress=kill_after_one)
    file = bank.directory / "party.toml"
    file.write_text(file.read_text() + f"\n[crypto]\nkey_bits = {key_bits}\n")
    rotation.rotate_paillier(configuration.load(bank.directory))
    with LabelParty(configuration.load(bank.directory)) as party:
        assert party.resume("m1").facts["trees"] == 2
    assert private_key(bank).public_key.bits == key_bits
    for part in ("bank/state/models/{}/part.json", "bureau/state/parts/bank/{}.json"):
        made = [(bank.directory.parent / part.format(name)).read_bytes() for name in ("m1", "undisturbed")]
        assert made[0] == made[1]
