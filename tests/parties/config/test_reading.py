"""Sections of a configuration as structs: every mistake with its key and what to write instead."""

from __future__ import annotations

from typing import Any

from parties.config.reading import read_params, read_struct, read_table, unknown_keys
from parties.config.settings import Limits, Server
from vfl.algorithms.trees.params import TreeParams


def struct(kind: Any, table: Any, **numbers: list[str]) -> tuple[Any, list[str]]:
    mistakes: list[str] = []
    brought = {kind: numbers["numbers"]} if numbers else {}
    return read_struct(kind, table, "section", mistakes, brought), mistakes


def test_a_section_is_read_or_its_mistakes_are_named() -> None:
    """Defaults fill in what is left out; a wrong value and an unknown key are each a mistake."""
    server, mistakes = struct(Server, {"port": 8443})
    assert (server.port, mistakes) == (8443, [])
    _, mistakes = struct(Server, {"port": "many"})
    assert [mistake.partition(":")[0] for mistake in mistakes] == ["section.port"]
    _, mistakes = struct(Server, {"prot": 8443})
    assert mistakes == ["section.prot: unknown key; did you mean port?"]
    assert struct(Server, 3)[1] == ["section: expected a table; write [section] on a line of its own"]


def test_numbers_of_algorithms_are_keys_like_others() -> None:
    """Where an algorithm brings a limit, it stands in the section of the peer."""
    limits, mistakes = struct(Limits, {"max_trees": 5, "open_jobs": 2}, numbers=["max_trees"])
    assert (limits.numbers, limits.open_jobs, mistakes) == ({"max_trees": 5}, 2, [])


def test_parameters_are_checked_by_their_class() -> None:
    """Ranges are those of the parameters; None stands for parameters with a mistake."""
    mistakes: list[str] = []
    assert read_params(TreeParams, {"max_depth": 3}, "model", mistakes) == TreeParams(max_depth=3)
    assert read_params(TreeParams, {"max_depth": -1}, "model", mistakes) is None
    assert read_params(TreeParams, {"max_depth": "deep"}, "model", mistakes) is None
    assert len(mistakes) == 2
    assert all("max_depth" in mistake for mistake in mistakes)


def test_an_unknown_key_may_stand_for_a_known_one() -> None:
    """A near one is suggested, or else all are named."""
    near, far = unknown_keys({"age": 1, "x": 2, "name": 3}, ["ages", "name"], "here", "key")
    assert near == "here.age: unknown key; did you mean ages?"
    assert far == "here.x: unknown key; remove it; known are ages, name"


def test_a_table_is_a_table() -> None:
    """Anything else is a mistake and read as an empty one."""
    mistakes: list[str] = []
    assert read_table({"a": 1}, "peers", mistakes) == {"a": 1}
    assert read_table("a", "peers", mistakes) == {}
    assert len(mistakes) == 1
