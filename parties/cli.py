"""The command line ``vfl``. Other packages add commands through the entry-point group ``vfl.commands``."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import click

from parties.commands.data import check, info, ledger
from parties.commands.party import party
from parties.commands.work import align, evaluate, export, score, train
from vfl.errors import VflError


class _Commands(click.Group):
    """The commands of this package and those that others add, with every error of ours told plainly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group="vfl.commands").names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            for added in entry_points(group="vfl.commands", name=cmd_name):
                loaded: click.Command = added.load()
                return loaded
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VflError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="vfl")
def main() -> None:
    """Vertical federated learning: align customers, train and score across institutions.

    No rows leave an institution. Start with `vfl party init --help`.
    """


for command in (party, check, align, train, score, evaluate, export, ledger, info):
    main.add_command(command)
