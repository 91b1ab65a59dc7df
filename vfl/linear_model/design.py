"""The label party's columns as a linear model takes them: scaled, or in weights of evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vfl.aggregation.table import LabelTable
from vfl.arrays import Float64, Integers
from vfl.errors import DataError, ParameterError
from vfl.linear_model.evidence import NamedBinning, unknown_columns, woe_columns
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearTerms
from vfl.linear_model.scaling import CLIPPED, Scaling


@dataclass(frozen=True)
class Design:
    """The label party's columns.

    Attributes:
        names: of its own columns that take part.
        evidence: by feature party, the weight of evidence of customers that it does not know, where the
            model is on weights of evidence and enough customers are unknown to it.
        columns: float64 [n, names and evidence].
    """

    names: list[str]
    evidence: dict[str, float]
    columns: Float64
    _scaling: Scaling
    _coded: bool

    @classmethod
    def from_table(
        cls,
        table: LabelTable,
        params: LinearParams,
        binning: NamedBinning | None,
        known: Mapping[str, Integers],
    ) -> Design:
        """Prepare the columns of a table.

        Args:
            known: by feature party that takes part, the rows that it knows.

        Raises:
            ParameterError: weights of evidence were to be standardised.
            DataError: the columns cannot be used, or are not those that were binned.
        """
        if binning is None:
            limit = CLIPPED if params.protocol == "shared" else math.inf
            scaling = Scaling.fit(table.columns, standardise=params.standardise, limit=limit)
            return cls(list(table.names), {}, scaling.apply(table.columns), scaling, False)
        if params.standardise:
            raise ParameterError("weights of evidence have one scale already: set standardise to false")
        own, unknown = binning.own, binning.unknown
        if own.columns != list(table.names):
            raise DataError("the columns are not those that were binned: bin again")
        evidence = {peer: unknown[peer] for peer in known if peer in unknown}
        columns = woe_columns(own, table.columns)
        if evidence:
            there = {peer: np.isin(np.arange(len(columns)), known[peer]) for peer in evidence}
            columns = np.hstack([columns, unknown_columns(evidence, there)])
        return cls(own.names, evidence, columns, Scaling.none(len(own.names)), True)

    def terms(self, coefficients: Float64) -> LinearTerms:
        """The label party's terms, of coefficients [columns]."""
        own = slice(len(self.names))
        mean = self.columns[:, own].mean(axis=0) if self._coded else None
        return LinearTerms.from_coefficients(self.names, self._scaling, coefficients[own], mean)

    def unknown(self, coefficients: Float64) -> dict[str, float]:
        """By feature party, what a customer that it does not know adds at the label party."""
        additions = coefficients[len(self.names) :].tolist()
        return {peer: a * woe for a, (peer, woe) in zip(additions, self.evidence.items(), strict=True)}
