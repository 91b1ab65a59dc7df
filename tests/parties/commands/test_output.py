"""Results as people read them and as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from parties.commands.output import example, show


class Result(msgspec.Struct):
    rows: int
    auc: float
    peers: dict[str, int]
    names: list[str]


RESULT = Result(5, 0.123456789, {"bureau": 3}, [])


def test_fields_are_lines_unless_a_text_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are short, dictionaries are one line, and what is empty is a dash."""
    show(RESULT, as_json=False)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == {"rows": "5", "auc": "0.123457", "peers": "bureau 3", "names": "-"}
    show(RESULT, as_json=False, text="5 rows")
    assert capsys.readouterr().out == "5 rows\n"


def test_json_is_the_whole_result(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the text for people is."""
    show(RESULT, as_json=True, text="5 rows")
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert printed == msgspec.to_builtins(RESULT)


def test_an_example_stands_at_the_end_of_help() -> None:
    """As it is typed."""
    assert example("vfl align bank").splitlines()[-1].strip() == "vfl align bank"
