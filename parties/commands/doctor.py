"""``vfl doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from parties import doctor as doctors
from parties.commands.output import example, json_option, party_directory, show

MARKS = {"ok": "ok     ", "warning": "WARNING", "fault": "FAULT  "}


@click.command(epilog=example("vfl doctor bank"))
@party_directory
@json_option
def doctor(directory: Path, as_json: bool) -> None:
    """Look for what is wrong with DIR and its peers, with a remedy for each; exit code 1 for a fault."""
    found = doctors.examine(directory)
    lines = [f"{MARKS[one.state]} {one.about}: {one.text}" for one in found]
    remedies = [f"\n          -> {one.remedy}" if one.remedy else "" for one in found]
    show(found, as_json, "\n".join(line + remedy for line, remedy in zip(lines, remedies, strict=True)))
    if any(one.state == "fault" for one in found):
        raise SystemExit(1)
