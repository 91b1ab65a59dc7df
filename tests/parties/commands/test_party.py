"""``vfl party``: a directory is made whole, and a mistake changes nothing."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config

IDENTITY = ("--identity", "5" * 64)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_failed_change_leaves_the_file(bank: Config) -> None:
    """A peer that is a mistake is not added: the configuration stays as it was."""
    before = (bank.directory / "party.toml").read_bytes()
    for fingerprint in ("12", "a" * 64):  # the second lacks a url
        told = ("--fingerprint", fingerprint, *IDENTITY)
        assert run("party", "add-peer", bank.directory, "x", *told).exit_code == 1
    assert (bank.directory / "party.toml").read_bytes() == before


def test_without_an_authority_a_signing_request_is_left(bank: Config, tmp_path: Path) -> None:
    """A party that has a real authority gets a request to have signed, and its key is made."""
    made = run(
        "party", "init", tmp_path / "own", "--name", "own", "--role", "feature", "--data", bank.data.source
    )  # fmt: skip
    assert "signing_request" in made.output
    assert (tmp_path / "own" / "tls" / "request.pem").read_text().startswith("-----BEGIN CERTIFICATE REQUEST")
