"""Customer identifiers made alike: one declared recipe turns columns into one canonical key.

Two institutions write the same customer differently (case, spaces, full-width digits, phone
prefixes). Both apply the same :class:`Recipe`, which crosses the wire as plain lines, one for each
field of the key::

    customer_id: nfkc strip upper
    phone: phone(+86)
    email: email

=============  ====================================================================================
step           what it does to the text
=============  ====================================================================================
``nfkc``       Unicode normalisation form NFKC: full-width and other compatibility forms become plain
``strip``      drops white space at both ends
``spaces``     turns every run of white space into one space
``upper``      upper case
``casefold``   Unicode case folding, for comparison without case
``digits``     keeps decimal digits only, of any script, written as 0-9
``phone(+C)``  ``+`` and digits as ITU-T E.164; a number without country code is one of country C
``email``      trimmed, case folded, the domain in its ASCII (IDNA) form
=============  ====================================================================================
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError, ParameterError

Step = Callable[[str], str]


def _digits(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(c)) for c in digits)


_TRUNK_PREFIX = {"1": "1", "7": "8", "39": "", "378": ""}
"""What callers inside a country dial before the number, where it is not 0 (ITU-T E.164 national plans)."""


def _phone(country: str) -> Step:
    trunk = _TRUNK_PREFIX.get(country, "0")

    def step(text: str) -> str:
        text = unicodedata.normalize("NFKC", text).strip()
        if any(c.isalpha() for c in text):
            return ""
        number = _digits(text.replace("(0)", "") if text.startswith(("+", "00")) else text)
        if not text.startswith("+"):
            number = number[2:] if number.startswith("00") else country + number.removeprefix(trunk)
        return f"+{number}" if re.fullmatch("[1-9][0-9]{6,14}", number) else ""

    return step


def _email(text: str) -> str:
    local, _, domain = unicodedata.normalize("NFKC", text).strip().casefold().rpartition("@")
    domain = domain.rstrip(".")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    usable = local and domain and not re.search(r"\s", local + domain)
    return f"{local}@{domain}" if usable else ""


_STEPS: dict[str, Step] = {
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "strip": str.strip,
    "spaces": lambda text: re.sub(r"\s+", " ", text),
    "upper": str.upper,
    "casefold": str.casefold,
    "digits": _digits,
    "email": _email,
}


@dataclass(frozen=True)
class Recipe:
    """How identifiers are made; equal recipes make equal keys.

    Attributes:
        fields: the fields of the key in order, each with its steps as written on the wire.
    """

    fields: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def parse(cls, lines: Sequence[str]) -> Recipe:
        """Return the recipe written in ``lines``, each ``field: step step ...``.

        Raises:
            ParameterError: a line is not of that form, names an unknown step or repeats a field.
        """
        fields = []
        for line in lines:
            name, colon, steps = line.partition(":")
            if not (colon and re.fullmatch(r"[A-Za-z]\w*", name.strip(), re.ASCII)):
                raise ParameterError(f"write a line of a recipe as 'field: step step', not {line!r}")
            fields.append((name.strip(), tuple(steps.split())))
            for step in fields[-1][1]:
                _step(step)
        if not fields or len({name for name, _ in fields}) < len(fields):
            raise ParameterError("a recipe needs at least one field, and each field once")
        return cls(tuple(fields))

    @property
    def lines(self) -> list[str]:
        """The recipe as it crosses the wire; ``Recipe.parse(recipe.lines) == recipe``."""
        return [" ".join((f"{name}:", *steps)) for name, steps in self.fields]


def _step(written: str) -> Step:
    if match := re.fullmatch(r"phone\(\+([1-9]\d{0,2})\)", written, re.ASCII):
        return _phone(match[1])
    if written not in _STEPS:
        raise ParameterError(f"unknown step {written!r}; known are {', '.join(_STEPS)} and phone(+C)")
    return _STEPS[written]


@dataclass(frozen=True)
class IdentifierReport:
    """How many rows of a source have a usable key, and why others have none.

    Attributes:
        rows: rows of the source.
        rows_with_key: rows that have a key now.
        empty: rows without a usable value in at least one field.
        duplicate_keys: keys that more than one row has.
        duplicate_rows: rows that have such a key, the first ones included.
    """

    rows: int
    rows_with_key: int
    empty: int
    duplicate_keys: int
    duplicate_rows: int

    @property
    def dropped(self) -> int:
        """Rows left out, for whichever reason."""
        return self.rows - self.rows_with_key


@dataclass(frozen=True, repr=False)
class PreparedIdentifiers:
    """Unique, non-empty canonical keys and where they came from.

    Attributes:
        keys: canonical keys, in source order.
        rows: int64[len(keys)], the source row of each key.
        recipe: how the keys were made.
        report: how many rows have a key, and why others have none.
    """

    keys: list[str]
    rows: npt.NDArray[np.int64]
    recipe: Recipe
    report: IdentifierReport


def prepare(
    columns: Mapping[str, Sequence[Any]],
    recipe: Recipe,
    *,
    on_duplicates: Literal["refuse", "keep_first", "drop"] = "refuse",
    on_empty: Literal["refuse", "drop"] = "refuse",
) -> PreparedIdentifiers:
    """Return the canonical keys of a source.

    Args:
        columns: the values of each field of the recipe: text, or whole numbers. Missing values
            (``None``, NaN, ``pandas.NA``) make the row's key empty.
        recipe: how keys are made. Several fields are joined with their lengths, so that no two
            different rows of fields make one key.
        on_duplicates: ``refuse`` a source with duplicate keys, ``keep_first`` row of each, or
            ``drop`` all rows of a duplicate key.
        on_empty: ``refuse`` a source with empty keys, or ``drop`` those rows.

    Raises:
        DataError: fields or values do not fit, or duplicates or empty keys are to be refused; with
            the counts and what to do.
    """
    keys = canonical_keys(columns, recipe)
    counts = Counter(keys)
    empty = counts.pop("", 0)
    repeated = {key: count for key, count in counts.items() if count > 1}
    duplicate_rows = sum(repeated.values())
    if empty and on_empty == "refuse":
        raise DataError(
            f"{empty} of {len(keys)} rows have no usable identifier; fix them, or set on_empty to 'drop'"
        )
    if repeated and on_duplicates == "refuse":
        raise DataError(
            f"{len(repeated)} identifiers occur in {duplicate_rows} of {len(keys)} rows; fix them, or set "
            "on_duplicates to 'keep_first' or 'drop'"
        )
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key and (on_duplicates == "keep_first" or key not in repeated):
            first.setdefault(key, row)
    if not first:
        raise DataError(f"none of {len(keys)} rows has a usable, unique identifier")
    rows = np.fromiter(first.values(), np.int64, len(first))
    report = IdentifierReport(len(keys), len(first), empty, len(repeated), duplicate_rows)
    return PreparedIdentifiers(list(first), rows, recipe, report)


def canonical_keys(columns: Mapping[str, Sequence[Any]], recipe: Recipe) -> list[str]:
    """Return one key for each row, ``""`` where a field is empty; rows may repeat.

    Raises:
        DataError: fields or values do not fit.
    """
    names = [name for name, _ in recipe.fields]
    if set(columns) != set(names):
        raise DataError(f"the recipe is for fields {names}, but columns are given for {sorted(columns)}")
    fields = [_apply(_texts(name, columns[name]), steps) for name, steps in recipe.fields]
    if len({len(field) for field in fields}) > 1:
        raise DataError(f"the columns for {names} differ in length")
    if len(fields) == 1:
        keys = fields[0]
    else:
        keys = [
            "".join(f"{len(part)}:{part}" for part in parts) if all(parts) else ""
            for parts in zip(*fields, strict=True)
        ]
    try:
        "".join(keys).encode()
    except UnicodeEncodeError:
        raise DataError(f"the columns for {names} hold broken Unicode; read them in their encoding") from None
    return keys


def _apply(texts: list[str], steps: Sequence[str]) -> list[str]:
    for step in map(_step, steps):
        texts = [step(text) for text in texts]
    return texts


def _texts(name: str, values: Sequence[Any]) -> list[str]:
    """Return the values of a field as text."""
    plain = values.tolist() if hasattr(values, "tolist") else list(values)
    all_texts = [value if type(value) is str else key_text(value) for value in plain]
    texts = [text for text in all_texts if text is not None]
    if len(texts) < len(all_texts):
        raise DataError(
            f"field {name}: {len(all_texts) - len(texts)} values are neither text nor whole numbers; "
            "read the column as text"
        )
    return texts


def key_text(value: object) -> str | None:
    """Return a value of a key as text: ``""`` where it is missing, None where it is no text or whole number.

    A column of whole numbers with gaps arrives as floats: whole ones below 2**53 are read as whole numbers.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return ""
        if number.is_integer() and abs(number) < 2**53:
            return str(int(number))
    return None
