"""The source of our packages as syntax trees, parsed once."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Module(NamedTuple):
    """A module.

    path: from the root.
    tree: its syntax.
    nodes: every node of the tree, breadth first.
    """

    path: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]

    @property
    def name(self) -> str:
        """Its dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        """The first two parts of its path, such as ``vfl/crypto``; one for a module at the top."""
        return "/".join(Path(self.path).parent.parts[:2])

    def imports(self) -> Iterator[str]:
        """Every module or name that it imports, dotted: ``vfl.wire.codec``, ``vfl.wire.codec.encode``."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def modules(folder: str) -> list[Module]:
    """Return the modules of a folder under the root, by path."""
    found = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found.append(Module(str(file.relative_to(ROOT)), tree, tuple(ast.walk(tree))))
    return found


def bound_names(module: Module) -> Iterator[str]:
    """Every name that is bound: variables, arguments, fields, functions, classes and imports."""
    for node in module.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
