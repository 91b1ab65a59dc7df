"""Objects are whole once they are made: no attribute is born in a method that may never have been called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.source import Module, modules

MAKERS = ("__init__", "__post_init__", "__new__")


def _methods(cls: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    yield from (node for node in cls.body if isinstance(node, ast.FunctionDef))


def _attributes(method: ast.FunctionDef) -> Iterator[str]:
    """Attributes of the first argument that a method binds."""
    if not method.args.args and not method.args.posonlyargs:
        return
    own = [*method.args.posonlyargs, *method.args.args][0].arg
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == own
        ):
            yield node.attr


def _declared(cls: ast.ClassDef) -> set[str]:
    """Attributes that an object of a class has from the start: annotated, assigned in the class, or made."""
    names = {
        attribute for method in _methods(cls) if method.name in MAKERS for attribute in _attributes(method)
    }
    for node in cls.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _base_names(cls: ast.ClassDef) -> list[str]:
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in cls.bases]
    return [base.attr if isinstance(base, ast.Attribute) else base.id for base in bases
            if isinstance(base, (ast.Attribute, ast.Name))]  # fmt: skip


def _offenders(package: str) -> list[str]:
    found: list[tuple[Module, ast.ClassDef]] = [
        (module, node)
        for module in modules(package)
        for node in module.nodes
        if isinstance(node, ast.ClassDef)
    ]
    declared: dict[str, set[str]] = {}
    for _, cls in found:
        declared.setdefault(cls.name, set()).update(_declared(cls))
    bases = {cls.name: _base_names(cls) for _, cls in found}

    def is_of_a_library(name: str) -> bool:
        return any(base not in declared or is_of_a_library(base) for base in bases[name] if base != name)

    def whole(name: str) -> set[str]:
        inherited = [whole(base) for base in bases.get(name, []) if base != name]
        return declared.get(name, set()).union(*inherited)

    lines = []
    for module, cls in found:
        late = {
            attribute
            for method in _methods(cls)
            if method.name not in MAKERS and not _is_classmethod(method)
            for attribute in _attributes(method)
        } - whole(cls.name)
        if is_of_a_library(cls.name):  # which has attributes of its own; ours begin with an underscore there
            late = {attribute for attribute in late if attribute.startswith("_")}
        if late:
            lines.append(f"{module.path} {cls.name}: {', '.join(sorted(late))}")
    return lines


def _is_classmethod(method: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "classmethod" for one in method.decorator_list)


@pytest.mark.parametrize("package", ["vfl", "parties"])
def test_no_attribute_is_born_after_the_object(package: str) -> None:
    """Every attribute is there once ``__init__`` has returned, or is declared in the class."""
    assert _offenders(package) == []
