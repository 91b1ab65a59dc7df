"""What there is still too much of, counted by package: ``python -m tests.structure.census`` writes it down.

`test_census` holds the source against ``remaining.json``: no number may grow, and one that has fallen is
written down, so that it does not grow again.
"""

from __future__ import annotations

import ast
import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

from tests.support.source import ROOT, Module, bound_names, modules

REMAINING = Path(__file__).with_name("remaining.json")

OURS = ("vfl", "parties")

NO_NOUNS = frozenset(["told", "kept", "found", "won", "taken", "given", "asked", "at", "of"])
"""Participles and prepositions that say nothing of what they are the name of."""

PATCHED = ("vfl", "parties", "scenarios", "data_generators", "benchmarks")

Place = tuple[str, str]
"""A package, and where in it something is."""


def nameless() -> Iterator[Place]:
    """By package, where a participle or a preposition is bound as a name."""
    for module in (module for folder in OURS for module in modules(folder)):
        for name in bound_names(module):
            if name.strip("_") in NO_NOUNS:
                yield module.package, f"{module.path}: {name}"


def untested() -> Iterator[Place]:
    """By package, modules that have code and no test module at their path."""
    for module in (module for folder in OURS for module in modules(folder)):
        path = Path(module.path)
        test = ROOT / "tests" / path.parent / f"test_{path.name.lstrip('_')}"
        if _has_code(module) and path.name not in ("__main__.py", "__init__.py") and not test.exists():
            yield module.package, module.path


def patches() -> Iterator[Place]:
    """By folder of tests, where an attribute of our own modules or classes is replaced."""
    for module in modules("tests"):
        own = {alias.asname or alias.name.partition(".")[0] for alias in _own_imports(module)}
        for node in module.nodes:
            if _is_patch(node) and _is_own(node.args[0], own):
                yield module.package, f"{module.path}:{node.lineno}"


def _is_patch(node: ast.AST) -> TypeGuard[ast.Call]:
    called = isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)
    return bool(called) and node.func.attr in ("setattr", "patch", "object")  # type: ignore[attr-defined]


def _own_imports(module: Module) -> Iterator[ast.alias]:
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PATCHED:
            yield from node.names
        elif isinstance(node, ast.Import):
            yield from (alias for alias in node.names if alias.name.partition(".")[0] in PATCHED)


def _is_own(target: ast.expr, own: set[str]) -> bool:
    """Whether what is patched is ours: a dotted text, or something reached from an import of ours."""
    if isinstance(target, ast.JoinedStr):
        target = target.values[0]
    if isinstance(target, ast.Constant):
        return str(target.value).partition(".")[0] in PATCHED
    names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return any(name in own for name in names)


def _has_code(module: Module) -> bool:
    return any(not isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom)) for node in module.tree.body)


KINDS: dict[str, Callable[[], Iterator[Place]]] = {
    "names that are no nouns": nameless,
    "modules without a test module at their path": untested,
    "patches of our own code in tests": patches,
}


@functools.cache
def places(kind: str) -> tuple[Place, ...]:
    """Return where there is something of a kind."""
    return tuple(KINDS[kind]())


def count(kind: str) -> dict[str, int]:
    """Return how much there is of a kind, by package."""
    return dict(sorted(Counter(package for package, _ in places(kind)).items()))


if __name__ == "__main__":
    REMAINING.write_text(json.dumps({kind: count(kind) for kind in KINDS}, indent=2) + "\n", encoding="utf-8")
