"""A feature party's columns as they take part in a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.aggregation.store import open_rows
from vfl.arrays import Float64
from vfl.errors import NotAligned
from vfl.linear_model.evidence import Binning, BinningStore, woe_columns
from vfl.linear_model.parts import LinearFeaturePart, LinearTerms
from vfl.linear_model.scaling import Scaling


@dataclass(frozen=True)
class TrainingColumns:
    """A feature party's columns, scaled, or coded by weight of evidence.

    Attributes:
        names: of the columns that take part.
        scaled: float64 [aligned rows, columns].
        scaling: how they were scaled.
        binning: in whose weights of evidence they are; None where they are columns of the party's table.
    """

    names: list[str]
    scaled: Float64
    scaling: Scaling
    binning: Binning | None

    @classmethod
    def load(
        cls,
        store: BinningStore,
        alignment: str,
        fingerprint: bytes,
        binning: str | None,
        *,
        standardise: bool,
        limit: float = math.inf,
    ) -> TrainingColumns:
        """Load the columns of an alignment's rows.

        Args:
            store: this party's.
            alignment, fingerprint: names the rows, and must be of this party's alignment.
            binning: name of a binning, or None.
            standardise, limit: see `Scaling`; neither has a part in weights of evidence.

        Raises:
            NotAligned: the parties' rows differ, or the columns are not those that were binned.
            StateError: no such alignment or binning here.
            DataError: a column has no value at all, or an infinite one.
        """
        names, columns = open_rows(store, alignment, fingerprint)
        if binning is None:
            scaling = Scaling.fit(columns, standardise=standardise, limit=limit)
            return cls(names, scaling.apply(columns), scaling, None)
        own = store.load_binning(binning)
        if names != own.columns:
            raise NotAligned("the columns of this party are not those that were binned: bin again")
        scaling = Scaling.none(len(own.names))
        return cls(own.names, scaling.apply(woe_columns(own, columns)), scaling, own)

    def shown(self, show: bool) -> list[str]:
        """Return the names as the label party sees them."""
        return self.names if show else [""] * len(self.names)

    def with_strangers(self, count: int) -> Float64:
        """Return the rows, and after them so many customers that this party does not know."""
        return np.vstack([self.scaled, np.tile(self.scaling.unknown(), (count, 1))])

    def part(self, coefficients: Float64) -> LinearFeaturePart:
        """Return the part of a model that has these coefficients [columns]."""
        mean = None if self.binning is None else self.scaled.mean(axis=0)
        terms = LinearTerms.from_coefficients(self.names, self.scaling, coefficients, mean)
        return LinearFeaturePart(terms=terms, binning=self.binning)
