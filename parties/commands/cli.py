"""The command line ``vfl``. Other packages add commands through the entry-point group ``vfl.commands``."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

from parties.commands.lazy import LazyGroup
from parties.config.files import remove_unpacked_library

COMMANDS = {
    "align": "parties.commands.work:align",
    "api-key": "parties.commands.api_key:api_key",
    "audit": "parties.commands.audit:audit",
    "bin": "parties.commands.scorecard:bin_columns",
    "check": "parties.commands.data:check",
    "contracts": "parties.commands.contracts:contracts",
    "doctor": "parties.commands.doctor:doctor",
    "evaluate": "parties.commands.evaluate:evaluate",
    "export": "parties.commands.work:export",
    "info": "parties.commands.info:info",
    "jobs": "parties.commands.jobs:jobs",
    "party": "parties.commands.party:party",
    "plan": "parties.commands.plan:plan",
    "publish": "parties.commands.publish:publish",
    "score": "parties.commands.work:score",
    "scorecard": "parties.commands.scorecard:points",
    "train": "parties.commands.work:train",
    "withdraw": "parties.commands.publish:withdraw",
}


@click.group(cls=LazyGroup, places=COMMANDS, added=entry_points(group="vfl.commands"))
@click.version_option(package_name="vfl")
def main() -> None:
    """Vertical federated learning: align customers, train and score across institutions.

    No rows leave an institution. Start with `vfl party init --help`.
    """
    click.get_current_context().call_on_close(remove_unpacked_library)
