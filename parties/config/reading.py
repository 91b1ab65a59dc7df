"""Decoded TOML to structs, field by field: one mistake does not hide the next.

A mistake is a line: the key, what is wrong, what to write instead. Callers collect them in a list.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from vfl.errors import ParameterError

_Kind = TypeVar("_Kind", bound=Struct)


NUMBERS = "numbers"
"""The field of a struct that takes the whole numbers which algorithms bring; it is no key itself."""

Numbers = Mapping[type[Struct], Sequence[str]]
"""By struct, the keys of its table that go to its field `NUMBERS`."""


def read_struct(
    kind: type[_Kind], value: Any, where: str, mistakes: list[str], numbers: Numbers = MappingProxyType({})
) -> _Kind | None:
    """Return a table as a struct, or None after adding its mistakes."""
    before = len(mistakes)
    table = read_table(value, where, mistakes)
    fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name != NUMBERS}
    extra = numbers.get(kind, ())
    mistakes += unknown_keys(table, [*fields, *extra], where, "key")
    values: dict[str, Any] = {}
    if extra:
        values[NUMBERS] = _read_numbers({key: table[key] for key in extra if key in table}, where, mistakes)
    for name, field in fields.items():
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            values[name] = read_struct(field.type, table.get(name, {}), f"{where}.{name}", mistakes, numbers)
        elif name in table:
            try:
                values[name] = msgspec.convert(table[name], field.type)
            except msgspec.ValidationError as error:
                mistakes.append(f"{where}.{name}: {_reason(error)}; write {_description(kind, name)}")
        elif field.required:
            mistakes.append(f"{where}.{name}: missing; write {_description(kind, name)}")
    return kind(**values) if len(mistakes) == before else None


def _read_numbers(table: Mapping[str, Any], where: str, mistakes: list[str]) -> dict[str, int]:
    for key, value in table.items():
        if not (isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31):
            mistakes.append(f"{where}.{key}: expected a whole number; write a whole number from 1")
    return dict(table)


def read_params(kind: type[_Kind], table: Mapping[str, Any], where: str, mistakes: list[str]) -> _Kind | None:
    """Return parameters out of a section or of options, or None after adding the mistakes."""
    known = list(kind.__struct_fields__)
    mistakes += unknown_keys(table, known, where, "parameter")
    values = {key: value for key, value in table.items() if key in known}
    try:
        return kind(**values)
    except ParameterError as error:
        mistakes.append(f"{where}: {error}".lstrip(": "))
    except TypeError:  # a range was asked of something that has none
        for field in msgspec.structs.fields(kind):
            try:
                msgspec.convert(values.get(field.name, field.default), field.type)
            except msgspec.ValidationError as error:
                mistakes.append(f"{where}.{field.name}: {_reason(error)}".lstrip("."))
    return None


def read_table(value: Any, where: str, mistakes: list[str]) -> dict[str, Any]:
    """Return a value that must be a table, or an empty one after adding the mistake."""
    if isinstance(value, dict):
        return value
    mistakes.append(f"{where}: expected a table; write [{where}] on a line of its own")
    return {}


def unknown_keys(table: Mapping[str, Any], known: Sequence[str], where: str, what: str) -> list[str]:
    """Return a mistake for each key that is not known, with the known one it may stand for."""
    mistakes = []
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"remove it; known are {', '.join(known)}"
            mistakes.append(f"{where}.{key}: unknown {what}; {remedy}".lstrip("."))
    return mistakes


def _reason(error: msgspec.ValidationError) -> str:
    text = str(error)
    return text[0].lower() + text[1:] if "regex" not in text else "it is not of the form that is needed"


def _description(kind: type[Struct], name: str) -> str:
    """Return what the field's annotation says belongs there."""
    annotated = get_type_hints(kind, include_extras=True)[name]
    notes = [note.description for note in _notes(annotated) if note.description]
    return notes[-1] if notes else "another value"


def _notes(annotated: Any) -> Iterator[Meta]:
    for part in get_args(annotated):
        if isinstance(part, Meta):
            yield part
        else:
            yield from _notes(part)
