"""``vfl doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from parties.commands.output import example, json_option, party_directory, show
from parties.doctor import checks as doctors

MARKS = {"ok": "ok", "warning": "WARNING", "fault": "FAULT"}


@click.command(epilog=example("vfl doctor bank"))
@party_directory
@json_option
def doctor(directory: Path, as_json: bool) -> None:
    """Look for what is wrong with DIR and its peers, with a remedy for each; exit code 1 for a fault."""
    findings = doctors.examine(directory)
    width = max(len(one.about) for one in findings)
    lines = [f"{MARKS[one.state]:8} {one.about:{width}}  {one.text}" for one in findings]
    remedies = [f"\n{'':{11 + width}}-> {one.remedy}" if one.remedy else "" for one in findings]
    faults, warnings = (sum(one.state == state for one in findings) for state in ("fault", "warning"))
    text = "\n".join(line + remedy for line, remedy in zip(lines, remedies, strict=True))
    show(findings, as_json, f"{text}\nfaults: {faults}, warnings: {warnings}")
    if any(one.state == "fault" for one in findings):
        raise SystemExit(1)
