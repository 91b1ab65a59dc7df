"""Imports only when they are used: of commands, and ahead of what a command will compute with."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from typing import Any

import click

from vfl.errors import VflError


class LazyGroup(click.Group):
    """Commands by the place where they are written; every error of ours is told plainly.

    Args:
        places: for each command ``module:attribute``.
        added: entry points of other packages' commands; they replace none of ours.
    """

    def __init__(
        self, *args: Any, places: dict[str, str], added: Iterable[EntryPoint] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._places = {entry.name: entry for entry in added}
        self._places |= {name: EntryPoint(name, place, "") for name, place in places.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        command: click.Command = self._places[cmd_name].load()
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VflError as error:
            raise click.ClickException(str(error)) from None


def import_ahead(*modules: str) -> None:
    """Import what a command will compute with while it still reads, asks and waits."""

    def work() -> None:
        for module in modules:
            importlib.import_module(module)

    threading.Thread(target=work, name="imports", daemon=True).start()
