"""What all generated stories have in common: who knows whom, the order of rows, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_generators.tables import Schema

Array = npt.NDArray[Any]
Rng = np.random.Generator
Self = TypeVar("Self", bound="Population")

FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class Population:
    """What is true of ``n`` customers or transactions and no institution sees; arrays have the shape [n].

    Attributes:
        number: different for each; keys are made from it.
        kind: of fraud, "" for none.
    """

    number: Array
    kind: Array

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self: Self, rows: Array) -> Self:
        return type(self)(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def is_(self, *kinds: str) -> npt.NDArray[np.bool_]:
        """Return where one of these kinds of fraud is committed, bool [n]."""
        return np.isin(self.kind, kinds)


@dataclass(frozen=True)
class Generator:
    """Makes the tables of one story.

    Attributes:
        schema: of all tables.
        rate: share of the label party's rows that are fraud.
        known: by partner the share of the label party's rows that it knows.
        strangers: by partner its rows that the label party does not know, as a share of the label party's.
        draw: makes ``n`` of the population at a rate of fraud.
        makers: by institution, the label party first: makes the columns but for key and label.
        key_fields: what the forms of keys are filled with, for a number of the population.
        first: the order of the label party's rows, those to train on first; None where it does not matter.
    """

    schema: Schema
    rate: float
    known: Mapping[str, float]
    strangers: Mapping[str, float]
    draw: Callable[[int, float, Rng], Any]
    makers: Mapping[str, Callable[[Any, Rng], dict[str, Any]]]
    key_fields: Callable[[int], Mapping[str, Any]]
    first: Callable[[Any], Array] | None = None

    def generate(
        self, rows: int = 20_000, seed: int = 7, test_rows: int | None = None, rate: float | None = None
    ) -> dict[str, pd.DataFrame]:
        """Return the label party's table, its table to test on (``NAME_test``), and one for each partner.

        Each has its own order of rows and its own way to write keys. Partners know rows to train on and
        rows to test on at the same rates.

        Args:
            rows: the label party's rows to train on.
            seed: equal seeds give equal tables.
            test_rows: the label party's rows to test on; a quarter of ``rows`` by default.
            rate: share of fraud, in place of the story's: more than in life makes small tables useful.
        """
        test_rows = rows // 4 if test_rows is None else test_rows
        own = rows + test_rows
        strangers = {name: int(share * rows) for name, share in self.strangers.items()}
        draw = iter(np.random.default_rng(seed).spawn(2 + len(self.makers)))
        population = self.draw(own + sum(strangers.values()), self.rate if rate is None else rate, next(draw))
        label_party = self.schema.label_party
        members = (
            np.arange(own) if self.first is None else np.argsort(self.first(population[:own]), kind="stable")
        )
        whole = self._table(label_party, population[members], next(draw))
        tables = {label_party: whole[:rows], f"{label_party}_test": whole[rows:].reset_index(drop=True)}
        rng, first = next(draw), own
        for name in self.strangers:
            known = np.flatnonzero(rng.random(own) < self.known[name])
            members = np.concatenate([known, np.arange(first, first + strangers[name])])
            first += strangers[name]
            tables[name] = self._table(name, population[rng.permutation(members)], next(draw))
        return tables

    def write(
        self,
        directory: str | Path,
        rows: int = 20_000,
        seed: int = 7,
        test_rows: int | None = None,
        rate: float | None = None,
        format: str = "csv",
    ) -> list[Path]:
        """Write the tables of :meth:`generate` as ``csv`` or ``parquet`` files and return their paths."""
        if format not in FORMATS:
            raise ValueError(f"format must be {' or '.join(FORMATS)}, not {format!r}")
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, table in self.generate(rows, seed, test_rows, rate).items():
            paths.append(directory / f"{name}.{format}")
            if format == "csv":
                table.to_csv(paths[-1], index=False)
            else:
                table.to_parquet(paths[-1], index=False)
        return paths

    def _table(self, institution: str, members: Any, rng: Rng) -> pd.DataFrame:
        key = self.schema.keys[institution]
        numbers: Sequence[int] = members.number.tolist()
        values = {key.column: [key.form.format(**self.key_fields(number)) for number in numbers]}
        values |= self.makers[institution](members, rng)
        values[self.schema.label] = (members.kind != "").astype(np.int8)
        return self.schema.table(institution, values)


def numbers(n: int, below: int, rng: Rng) -> Array:
    """Return different numbers int64 [n] in no order: an affine map with a prime step."""
    return (np.arange(n) * 2_654_435_761 + int(rng.integers(below))) % below


def kinds(n: int, rate: float, shares: Mapping[str, float], rng: Rng) -> Array:
    """Return the kind of fraud of each, "" for most, str [n]; ``shares`` sum to 1."""
    codes = rng.choice(1 + len(shares), n, p=[1 - rate] + [rate * share for share in shares.values()])
    return np.array(["", *shares])[codes]
