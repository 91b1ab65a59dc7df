"""The recipe that makes identifiers alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.errors import DataError, ParameterError
from vfl.psi.identifiers import IdentifierReport, Recipe, prepare


def keys(steps: str, *values: object) -> list[str]:
    """Return the canonical keys of one column, empty ones dropped."""
    recipe = Recipe.parse([f"field: {steps}"])
    return prepare({"field": values}, recipe, on_empty="drop", on_duplicates="keep_first").keys


CASES = [
    ("", " As it is ", " As it is "),
    ("strip", "\t C1 \u3000", "C1"),
    ("spaces", "Li \u00a0 Wei", "Li Wei"),
    ("upper", "c1-é", "C1-É"),
    ("casefold", "Straße", "strasse"),
    ("nfkc", "Ｃ１２３", "C123"),
    ("nfkc", "e\u0301", "é"),
    ("digits", "DE 12-34", "1234"),
    ("digits", "１２３", "123"),
    ("digits", "٣٤", "34"),
    ("nfkc strip upper", " ａ7 ", "A7"),
    ("phone(+86)", "138 0013 8000", "+8613800138000"),
    ("phone(+86)", "+86 138-0013-8000", "+8613800138000"),
    ("phone(+86)", "0086 13800138000", "+8613800138000"),
    ("phone(+86)", "＋８６ １３８００１３８０００", "+8613800138000"),
    ("phone(+86)", "(010) 6552 9988", "+861065529988"),
    ("phone(+86)", "+1 415 555 2671", "+14155552671"),
    ("phone(+44)", "+44 (0)20 7946 0018", "+442079460018"),
    ("phone(+44)", "020 7946 0018", "+442079460018"),
    ("phone(+1)", "1 (415) 555-2671", "+14155552671"),
    ("phone(+1)", "(415) 555-2671", "+14155552671"),
    ("phone(+7)", "8 912 345-67-89", "+79123456789"),
    ("phone(+39)", "06 698 12345", "+390669812345"),
    ("email", " Alice@Example.COM ", "alice@example.com"),
    ("email", "Ａlice@example.com.", "alice@example.com"),
    ("email", "li@Bücher.example", "li@xn--bcher-kva.example"),
    ("email", "li@例え.jp", "li@xn--r8jz45g.jp"),
    ("strip", 123, "123"),
    ("strip", np.int64(7), "7"),
    ("strip", 123.0, "123"),
    ("strip", np.str_("a"), "a"),
]


@pytest.mark.parametrize(("steps", "value", "key"), CASES)
def test_steps(steps: str, value: object, key: str) -> None:
    """Each step does what the table in the module says."""
    assert keys(steps, value) == [key]


VALID = {"strip": "C1", "digits": "1", "phone(+86)": "13800138000", "email": "a@b.c"}


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ("strip", "  "),
        ("strip", None),
        ("strip", float("nan")),
        ("strip", pd.NA),
        ("strip", pd.NaT),
        ("digits", "none"),
        ("phone(+86)", "call me"),
        ("phone(+86)", "12"),
        ("phone(+86)", "000 123456789"),
        ("phone(+86)", "+861234567890123456"),
        ("email", "nobody"),
        ("email", "@example.com"),
        ("email", "a b@example.com"),
        ("email", "li@" + "ü" * 80 + ".example"),
    ],
)
def test_unusable_values_make_empty_keys(steps: str, value: object) -> None:
    """A missing value, or one that the step cannot read, counts as empty and never as a key."""
    columns, recipe = {"f": [VALID[steps], value]}, Recipe.parse([f"f: {steps}"])
    assert prepare(columns, recipe, on_empty="drop").report == IdentifierReport(2, 1, 1, 0, 0)
    with pytest.raises(DataError, match="1 of 2 rows"):
        prepare(columns, recipe)


def test_several_fields_make_one_key_without_ambiguity() -> None:
    """No two different rows of fields run together into the same key."""
    two = Recipe.parse(["name: strip", "born: digits"])
    prepared = prepare({"name": ["a1", "a", "1:a"], "born": ["2", "12", "2"]}, two)
    assert len(set(prepared.keys)) == 3
    with pytest.raises(DataError, match="1 of 2"):
        prepare({"name": ["a", "b"], "born": ["1", None]}, two)


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), min_size=1, max_size=8))
def test_composite_keys_are_equal_exactly_where_the_fields_are(rows: list[tuple[str, str]]) -> None:
    """Rows with all fields present share a key if and only if they share every field."""
    full = [row for row in rows if all(row)] or [("a", "b")]
    prepared = prepare(
        {"x": [x for x, _ in full], "y": [y for _, y in full]},
        Recipe.parse(["x:", "y:"]),
        on_duplicates="keep_first",
    )
    assert len(prepared.keys) == len(set(full))


SOURCE = {"f": ["A", "b", None, "a ", "C", "", "B"]}
FOLDED = Recipe.parse(["f: strip upper"])


def test_duplicates_and_empties_are_refused_with_counts() -> None:
    """By default nothing is dropped: the error counts and says which option there is."""
    with pytest.raises(DataError, match=r"2 of 7 rows .* on_empty"):
        prepare(SOURCE, FOLDED)
    with pytest.raises(DataError, match=r"2 identifiers occur in 4 of 7 rows.*keep_first"):
        prepare(SOURCE, FOLDED, on_empty="drop")


def test_refusals_name_no_customer() -> None:
    """The text of a refusal holds counts and no value."""
    with pytest.raises(DataError) as refused:
        prepare({"f": ["SECRET", "SECRET"]}, FOLDED)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("on_duplicates", "kept", "rows"), [("keep_first", ["A", "B", "C"], [0, 1, 4]), ("drop", ["C"], [4])]
)
def test_duplicates_on_the_owners_word(on_duplicates, kept: list[str], rows: list[int]) -> None:
    """keep_first keeps one row of each key and drop none of a repeated one; both are reported."""
    prepared = prepare(SOURCE, FOLDED, on_duplicates=on_duplicates, on_empty="drop")
    assert prepared.keys == kept
    assert prepared.rows.tolist() == rows
    assert prepared.rows.dtype == np.int64
    assert prepared.report == IdentifierReport(7, len(kept), 2, 2, 4)
    assert prepared.report.dropped == 7 - len(kept)


def test_columns_of_pandas_with_gaps() -> None:
    """A column of whole numbers that pandas turned into floats is read as the numbers they were."""
    frame = pd.DataFrame({"f": [101, None, 103]})
    prepared = prepare({"f": frame["f"]}, Recipe.parse(["f: strip"]), on_empty="drop")
    assert prepared.keys == ["101", "103"]
    assert prepared.rows.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"g": ["a"]}, "columns are given for"),
        ({"f": ["a"], "g": ["a"]}, "columns are given for"),
        ({"f": ["a", 1.5]}, "neither text nor whole"),
        ({"f": ["a", True]}, "neither text nor whole"),
        ({"f": ["a", b"b"]}, "1 values"),
        ({"f": ["a", "\ud800"]}, "Unicode"),
        ({"f": [None]}, "1 of 1"),
    ],
)
def test_columns_that_cannot_be_keys(columns: dict[str, list[object]], says: str) -> None:
    """Columns that do not fit the recipe, or hold other things than keys, are refused."""
    with pytest.raises(DataError, match=says):
        prepare(columns, Recipe.parse(["f:"]))


def test_nothing_left_is_refused() -> None:
    """A source of which no key remains is an error, whatever may be dropped."""
    with pytest.raises(DataError, match="none of 2"):
        prepare({"f": [None, ""]}, FOLDED, on_empty="drop")
    with pytest.raises(DataError, match="differ in length"):
        prepare({"f": ["a"], "g": []}, Recipe.parse(["f:", "g:"]))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["customer"],
        ["customer: shout"],
        ["a: strip", "a: upper"],
        ["a b: strip"],
        ["f: phone(86)"],
        [": strip"],
    ],
)
def test_recipes_that_are_none(lines: list[str]) -> None:
    """A recipe that is not of the documented form is refused."""
    with pytest.raises(ParameterError):
        Recipe.parse(lines)


def test_recipe_lines_round_trip() -> None:
    """A recipe is written in one way only, so two parties can compare lines."""
    parsed = Recipe.parse(["  customer :  strip   upper", "phone: phone(+86)", "raw:"])
    assert parsed.lines == ["customer: strip upper", "phone: phone(+86)", "raw:"]
    assert Recipe.parse(parsed.lines) == parsed


@pytest.mark.parametrize("steps", ["nfkc strip spaces upper", "digits", "phone(+86)", "email", "casefold"])
@given(text=st.text(max_size=12))
def test_steps_are_stable_on_their_own_result(steps: str, text: str) -> None:
    """A canonical key made again stays as it is, so a party may store canonical keys."""
    once = keys(steps, text, "13800138000", "a@b.c")
    assert keys(steps, *once) == once
