"""Commands that are imported when they are used."""

from __future__ import annotations

import sys
import threading

import click
from click.testing import CliRunner

from parties.commands.lazy import LazyGroup, import_ahead

GROUP = LazyGroup(name="vfl", places={"info": "parties.commands.info:info", "broken": f"{__name__}:nothing"})


def test_commands_are_listed_without_an_import() -> None:
    """A command whose module cannot be imported harms no other one."""
    assert GROUP.list_commands(click.Context(GROUP)) == ["broken", "info"]
    assert CliRunner().invoke(GROUP, ["info", "--json"]).exit_code == 0
    assert CliRunner().invoke(GROUP, ["nothing"]).exit_code == 2


def test_our_errors_are_one_plain_message() -> None:
    """Without a traceback."""
    group = LazyGroup(name="vfl", places={"check": "parties.commands.data:check"})
    result = CliRunner().invoke(group, ["check", "nowhere"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_modules_are_imported_while_a_command_waits() -> None:
    """In a thread of its own."""
    sys.modules.pop("this_module_is_not_there", None)
    import_ahead("colorsys")
    for thread in threading.enumerate():
        if thread.name == "imports":
            thread.join()
    assert "colorsys" in sys.modules
