"""The two kinds of part that a linear model consists of, and what each says about a row.

Each party keeps what it does to its own columns and their coefficients. A party's part of the linear
predictor is all that the other would need of it.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from vfl.arrays import Float32, Float64, Floats
from vfl.errors import StateError
from vfl.linear_model.evidence import Binning, woe_columns
from vfl.linear_model.params import LinearParams
from vfl.linear_model.scaling import Scaling

VERSION = 2

OBJECTIVES = {"logistic": "binary:logistic", "squared": "reg:squarederror", "poisson": "count:poisson"}


class LinearTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's columns and what each adds to the linear predictor; lists of one length.

    A column adds ``coefficient * (x - shift) / scale``, ``fill`` standing for a missing x and for a customer
    that the party does not know. ``mean`` is the mean of ``(x - shift) / scale`` over the party's rows. Where
    there is a ``limit``, ``(x - shift) / scale`` counts as that at most, and as its negative at least.
    """

    columns: list[str]
    fill: list[float]
    shift: list[float]
    scale: list[float]
    mean: list[float]
    coefficients: list[float]
    limit: float | None = None

    def __post_init__(self) -> None:
        numbers = (self.fill, self.shift, self.scale, self.mean, self.coefficients)
        _check(all(len(values) == len(self.columns) for values in numbers), "uneven terms")
        _check(all(math.isfinite(x) for values in numbers for x in values), "number that is not finite")
        _check(all(x > 0 for x in self.scale), "scale that is not above 0")
        _check(self.limit is None or 0 < self.limit < math.inf, "limit that is not above 0")

    @classmethod
    def from_coefficients(
        cls, columns: list[str], scaling: Scaling, coefficients: Float64, mean: Float64 | None = None
    ) -> LinearTerms:
        """Terms of scaled columns; the mean is by default what stands for a missing value."""
        return cls(
            columns=columns,
            fill=scaling.fill.tolist(),
            shift=scaling.shift.tolist(),
            scale=scaling.scale.tolist(),
            mean=(scaling.unknown() if mean is None else mean).tolist(),
            coefficients=coefficients.tolist(),
            limit=scaling.limit if math.isfinite(scaling.limit) else None,
        )

    def contributions(self, columns: Floats) -> Float64:
        """How much more than its mean each column of rows [n, f] adds, float64 [n, f]."""
        return np.asarray((self.scaling.apply(columns) - np.array(self.mean)) * np.array(self.coefficients))

    @property
    def base(self) -> float:
        """What the means add."""
        return math.fsum((np.array(self.mean) * np.array(self.coefficients)).tolist())

    def unknown(self) -> float:
        """What a customer that the party does not know adds."""
        return math.fsum((self.scaling.unknown() * np.array(self.coefficients)).tolist())

    @property
    def scaling(self) -> Scaling:
        limit = math.inf if self.limit is None else self.limit
        return Scaling(np.array(self.fill), np.array(self.shift), np.array(self.scale), limit)


class LinearFeaturePart(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="linear"
):
    """A feature party's part of a linear model.

    Attributes:
        terms: of its columns.
        binning: in whose weights of evidence these are; None where they are columns of its table.
    """

    version: int = VERSION
    terms: LinearTerms
    binning: Binning | None = None

    def __post_init__(self) -> None:
        _check_coding(self.version, self.terms, self.binning)

    @property
    def features(self) -> list[str]:
        """Columns whose contributions may be reported."""
        return self.terms.columns

    @property
    def outputs(self) -> int:
        """How many numbers it says of a row at most: one for each column."""
        return len(self.terms.columns)

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the party's table that `coded` takes."""
        return self.terms.columns if self.binning is None else self.binning.columns

    def coded(self, columns: Float32) -> Floats:
        """Rows [n, columns of the table] as the columns that the terms are about."""
        return columns if self.binning is None else woe_columns(self.binning, columns)


class LinearPeer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature party's part as the label party knows it.

    Attributes:
        shown: by column its name, or "" where the party does not show it.
        base: what the means of its columns add to the linear predictor.
        unknown: what a customer that it does not know adds.
    """

    shown: list[str]
    base: float
    unknown: float

    def __post_init__(self) -> None:
        _check(all(map(math.isfinite, (self.base, self.unknown))), "number that is not finite")

    @property
    def outputs(self) -> int:
        """How many numbers it says of a row at most: one for each column."""
        return len(self.shown)

    @property
    def strange(self) -> float:
        """How much more a customer that it does not know adds than the means of its columns."""
        return self.unknown - self.base


class LinearLabelPart(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="linear"
):
    """The label party's part of a linear model.

    Attributes:
        params: the parameters it was trained with, the loss among them.
        intercept: the constant of the linear predictor.
        terms: of the label party's own columns.
        owners: names of the feature parties.
        peers: their parts, in the order of ``owners``.
        binning: as in `LinearFeaturePart`, of the label party's columns that were kept.
    """

    version: int = VERSION
    params: LinearParams
    intercept: float
    terms: LinearTerms
    owners: list[str]
    peers: list[LinearPeer]
    binning: Binning | None = None

    def __post_init__(self) -> None:
        _check_coding(self.version, self.terms, self.binning)
        _check(math.isfinite(self.intercept), "intercept that is not finite")
        _check(len(self.peers) == len(self.owners), "not as many peers as owners")

    @property
    def objective(self) -> str:
        """XGBoost's name of the loss."""
        return OBJECTIVES[self.params.loss]

    @property
    def base(self) -> float:
        """The linear predictor at the means of all columns of all parties."""
        return math.fsum([self.intercept, self.terms.base, *(peer.base for peer in self.peers)])

    @property
    def features(self) -> list[str]:
        """Features with contributions: the label party's columns, then parties that do not know a customer.

        A party whose unknown customers count as the mean of its columns is left out.
        """
        peers = zip(self.owners, self.peers, strict=True)
        return [*self.terms.columns, *(f"unknown to {name}" for name, peer in peers if peer.strange)]

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the label party's table that `coded` takes."""
        return self.terms.columns if self.binning is None else self.binning.columns

    def coded(self, columns: Float32) -> Floats:
        """Rows [n, columns of the table] as the columns that the terms are about."""
        return columns if self.binning is None else woe_columns(self.binning, columns)


def _check_coding(version: int, terms: LinearTerms, binning: Binning | None) -> None:
    _check(version == VERSION, f"version {version}, this release reads version {VERSION}")
    _check(binning is None or binning.names == terms.columns, "binning of other columns than the terms")


def _check(holds: bool, mistake: str) -> None:
    if not holds:
        raise StateError(f"Damaged model part ({mistake}): restore it from a copy or train again")
