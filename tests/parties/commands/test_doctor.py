"""``vfl doctor``: findings with remedies, and an exit code for programs."""

from __future__ import annotations

import json

from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config


def test_a_fault_is_exit_code_1_with_its_remedy(bank: Config) -> None:
    """For people with marks and counts, for programs as JSON."""
    (bank.directory / "tls/certificate.pem").unlink()
    shown = CliRunner().invoke(main, ["doctor", str(bank.directory)])
    assert shown.exit_code == 1
    assert "faults: " in shown.output
    assert "-> " in shown.output
    findings = json.loads(CliRunner().invoke(main, ["doctor", str(bank.directory), "--json"]).stdout)
    assert any(finding["state"] == "fault" and finding["remedy"] for finding in findings)
