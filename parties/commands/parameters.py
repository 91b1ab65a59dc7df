"""``--param NAME=VALUE``: parameters of a training or binning job out of the command line."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from parties.config.reading import read_params
from vfl.errors import ParameterError

_Params = TypeVar("_Params", bound=msgspec.Struct)


def parameters(kind: type[_Params], changes: tuple[str, ...], defaults: _Params) -> _Params:
    """Return the default parameters with some changed.

    Raises:
        ParameterError: a parameter is not known or outside its range; every mistake is named.
    """
    table = msgspec.structs.asdict(defaults)
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--param {text}: write NAME=VALUE")
        table[name] = _value(value)
    mistakes: list[str] = []
    params = read_params(kind, table, "", mistakes)
    if params is None or mistakes:
        raise ParameterError("; ".join(mistakes))
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None if text.lower() == "none" else text
