"""Nothing but an algorithm's own folder, the registry and a short list of modules knows an algorithm."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.support.source import Module, modules
from vfl.algorithms.registry import ALGORITHMS

ABOUT_ONE_ALGORITHM = {
    "parties.commands.plan": "plans how long a training of trees takes",
    "parties.commands.scorecard": "bins columns and prints a table of points",
    "parties.label.binning": "bins columns for scorecards",
    "parties.label.planning": "plans how long a training of trees takes",
    "parties.label.scorecard": "turns a linear model into a table of points",
}
"""Modules of parties that are there for one algorithm, and what they do with it."""

LISTS_COMMANDS = "parties.commands.cli"
"""It names every command, and one is called `scorecard`."""

GENERIC = ("vfl.algorithms.descriptor", "vfl.algorithms.registry", "vfl.linear_model.evidence")
"""What all algorithms go through; of linear models the binnings, which every party stores."""

MAY_IMPORT_THE_WIRE = ("messages", "algorithm", "model_type")
"""Besides modules of one party, as in ``feature_party``: those whose subject is messages."""


def _others() -> list[Module]:
    return [module for module in modules("parties") if module.name not in ABOUT_ONE_ALGORITHM]


def _names() -> set[str]:
    return {algorithm.name for algorithm in ALGORITHMS} | set(ALGORITHMS.model_types)


def _looked_up(module: Module) -> Iterator[ast.Constant]:
    """Texts that something is compared with or looked up by."""
    for node in module.nodes:
        operands: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript):
            operands = [node.slice]
        elif isinstance(node, ast.Dict):
            operands = list(node.keys)
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            operands = list(node.args) if called in ("get", "named", "of_model_type", "getattr") else []
        for operand in operands:
            if operand is not None:
                yield from (one for one in ast.walk(operand) if isinstance(one, ast.Constant))


def test_no_other_module_of_parties_imports_an_algorithm() -> None:
    """Contracts, storage, commands, ledgers and reports go through descriptors."""
    own = ("vfl.algorithms.", "vfl.linear_model.")
    offenders = [
        f"{module.path}: {imported}"
        for module in _others()
        for imported in module.imports()
        if imported.startswith(own) and not imported.startswith(GENERIC)
    ]
    assert offenders == []


def test_no_other_module_of_parties_asks_for_an_algorithm_by_name() -> None:
    """No text that is compared or looked up is the name of an algorithm or of a kind of model."""
    offenders = [
        f"{module.path}:{text.lineno}: {text.value}"
        for module in _others()
        if module.name != LISTS_COMMANDS
        for text in _looked_up(module)
        if text.value in _names()
    ]
    assert offenders == []


def test_the_modules_about_one_algorithm_are_there() -> None:
    """The list names modules that exist and do import an algorithm; a name leaves it with its last import."""
    by_name = {module.name: module for module in modules("parties")}
    for name in ABOUT_ONE_ALGORITHM:
        imported = list(by_name[name].imports())
        assert any(one.startswith(("vfl.algorithms.", "vfl.linear_model.")) for one in imported), name


def test_mathematics_never_imports_the_wire() -> None:
    """Within an algorithm only its messages, its descriptor and what stands for a party know of messages."""
    offenders = [
        f"{module.path}: {imported}"
        for folder in ("vfl/algorithms", "vfl/linear_model", "vfl/evaluation")
        for module in modules(folder)
        if module.name not in GENERIC and not _may_import_the_wire(module)
        for imported in module.imports()
        if imported.startswith("vfl.wire")
    ]
    assert offenders == []


def _may_import_the_wire(module: Module) -> bool:
    last = module.name.rpartition(".")[2]
    return last in MAY_IMPORT_THE_WIRE or "_party" in last
