"""docs/glossary.md and the code use the same words."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
USED, _, NOT_USED = GLOSSARY.partition("## Words that are not used")


def cells_of(text: str) -> list[list[str]]:
    """Return the cells of every row of a text's tables, headings and rules left out."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row in rows if row[0] not in ("word", "instead of")]


CLASSES = sorted({name for row in cells_of(USED) for name in re.findall(r"`([\w.]+)`", row[-1])})
SOURCES = [path for package in ("vfl", "parties") for path in ROOT.glob(f"{package}/**/*.py")]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_that_it_names_exists(name: str) -> None:
    """Whoever looks a word up finds the class of that name where the glossary says."""
    module, _, kind = name.rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), kind), type)


def test_no_word_has_two_meanings() -> None:
    """Each word has one row, and each class belongs to one word."""
    words = [row[0] for row in cells_of(USED)]
    assert sorted(words) == sorted(set(words))
    named = [name for row in cells_of(USED) for name in re.findall(r"`([\w.]+)`", row[-1])]
    assert sorted(named) == CLASSES


def test_words_that_are_not_used_name_no_module_and_no_class() -> None:
    """What has been renamed does not come back under its old name."""
    avoided = {row[0].split(",")[0] for row in cells_of(NOT_USED)}
    assert len(avoided) == len(cells_of(NOT_USED))
    names = [(path, path.stem.split("_")) for path in SOURCES]
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        names += [(path, re.findall(r"[A-Z][a-z]+", name)) for name in classes]
    found = {
        f"{path.relative_to(ROOT)}: {word}"
        for path, words in names
        for word in words
        if word.lower() in avoided
    }
    assert found == set()
