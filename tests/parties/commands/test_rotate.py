"""``vfl party rotate-tls`` and ``expect``: the next key beside the present one, then in its place."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config
from parties.keys import tls


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["party", command, *map(str, arguments)])


def test_the_next_certificate_is_made_and_brought_into_use(bureau: Config) -> None:
    """Its fingerprint is printed first, for peers, and is the party's afterwards."""
    authority = bureau.directory.parent / "ca"
    made = run("rotate-tls", bureau.directory, "--dev-ca", authority, "--json")
    assert made.exit_code == 0, made.output
    fingerprint = json.loads(made.stdout)["next_fingerprint"]
    assert tls.fingerprint_of_file(tls.files_of(bureau).certificate) != fingerprint
    assert f"in use: {fingerprint}" in run("rotate-tls", bureau.directory, "--activate").output
    assert tls.fingerprint_of_file(tls.files_of(bureau).certificate) == fingerprint


def test_a_peer_accepts_both_certificates_and_then_one(bank: Config, bureau: Config, join: Any) -> None:
    """In two steps; exactly one of the options says which."""
    directory = join(bank, bureau, "https://bureau.test").directory
    accepted = run("expect", directory, "bureau", "--next", "b" * 64, "--json")
    assert len(json.loads(accepted.stdout)["accepted"]) == 2
    assert json.loads(run("expect", directory, "bureau", "--only", "--json").stdout)["accepted"] == ["b" * 64]
    assert "give --next with a fingerprint, or --only" in run("expect", directory, "bureau").output
