"""The two kinds of share that a linear model consists of, and what each says about a row.

Each party keeps what it does to its own columns and their coefficients. A party's part of the linear
predictor is all that the other would need of it.
"""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from vfl.errors import StateError
from vfl.linear.columns import Columns, Scaling
from vfl.linear.loss import LOSSES
from vfl.params import LinearParams
from vfl.scorecard.model import Binning, woe_columns

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

VERSION = 1


class LinearTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's columns and what each adds to the linear predictor; lists of one length.

    A column adds ``coefficient * (x - shift) / scale``, ``fill`` standing for a missing x and for a customer
    that the party does not know.
    """

    columns: list[str]
    fill: list[float]
    shift: list[float]
    scale: list[float]
    coefficients: list[float]

    def __post_init__(self) -> None:
        numbers = (self.fill, self.shift, self.scale, self.coefficients)
        _check(all(len(values) == len(self.columns) for values in numbers), "uneven terms")
        _check(all(math.isfinite(x) for values in numbers for x in values), "number that is not finite")
        _check(all(x > 0 for x in self.scale), "scale that is not above 0")

    @classmethod
    def of(cls, columns: list[str], scaling: Scaling, coefficients: Float64) -> LinearTerms:
        return cls(
            columns=columns,
            fill=scaling.fill.tolist(),
            shift=scaling.shift.tolist(),
            scale=scaling.scale.tolist(),
            coefficients=coefficients.tolist(),
        )

    def predictor(self, columns: Columns) -> Float64:
        """What rows [n, f] of these columns add to the linear predictor, float64 [n]."""
        return np.asarray(self._scaling().apply(columns) @ np.array(self.coefficients))

    def unknown(self) -> float:
        """What a customer that the party does not know adds."""
        return float(self._scaling().unknown() @ np.array(self.coefficients))

    def _scaling(self) -> Scaling:
        return Scaling(np.array(self.fill), np.array(self.shift), np.array(self.scale))


class LinearFeatureShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    def columns(self) -> list[str]:
        """Names of all columns of the party's table that `coded` takes."""
        return self.terms.columns if self.binning is None else self.binning.columns

    def coded(self, columns: Float32) -> Columns:
        """Rows [n, columns of the table] as the columns that the terms are about."""
        return columns if self.binning is None else woe_columns(self.binning, columns)


class LinearLabelShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The label party's part of a linear model.

    Attributes:
        params: the parameters it was trained with, the loss among them.
        intercept: the constant of the linear predictor.
        terms: of the label party's own columns.
        owners: names of the feature parties.
        unknown: by feature party, what a customer that it does not know adds to the linear predictor.
        binning: as in `LinearFeatureShare`, of the label party's own columns.
    """

    version: int = VERSION
    params: LinearParams
    intercept: float
    terms: LinearTerms
    owners: list[str]
    unknown: dict[str, float]
    binning: Binning | None = None

    def __post_init__(self) -> None:
        _check_coding(self.version, self.terms, self.binning)
        _check(all(map(math.isfinite, (self.intercept, *self.unknown.values()))), "number that is not finite")
        _check(set(self.unknown) == set(self.owners), "other parties than owners")

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the label party's table that `coded` takes."""
        return self.terms.columns if self.binning is None else self.binning.columns

    def coded(self, columns: Float32) -> Columns:
        """Rows [n, columns of the table] as the columns that the terms are about."""
        return columns if self.binning is None else woe_columns(self.binning, columns)

    def predict(self, columns: Float32, others: list[Float64]) -> Float64:
        """Predictions float64 [n]: a probability, a value or an expected count.

        Args:
            columns: float32 [n, f], the label party's table.
            others: float64 [n] of each owner, its part of the linear predictor; `unknown` where it does not
                know the customer.
        """
        own = self.terms.predictor(self.coded(columns))
        z = self.intercept + own + np.sum([np.zeros(len(columns)), *others], axis=0)
        return LOSSES[self.params.loss].mean(z)


_Share = TypeVar("_Share", LinearLabelShare, LinearFeatureShare)


def to_json(share: LinearLabelShare | LinearFeatureShare) -> bytes:
    """A share as JSON; numbers are written so that reading gives the same bits."""
    return msgspec.json.encode(share)


def linear_label_share(data: bytes) -> LinearLabelShare:
    """Read a label party's share.

    Raises:
        StateError: not a share of this version, or one that contradicts itself.
    """
    return _read(data, LinearLabelShare)


def linear_feature_share(data: bytes) -> LinearFeatureShare:
    """Read a feature party's share; raises as `linear_label_share` does."""
    return _read(data, LinearFeatureShare)


def _read(data: bytes, kind: type[_Share]) -> _Share:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise StateError(f"Not a readable {kind.__name__}: {error}") from error


def _check_coding(version: int, terms: LinearTerms, binning: Binning | None) -> None:
    _check(version == VERSION, f"version {version}, this release reads version {VERSION}")
    _check(binning is None or binning.names == terms.columns, "binning of other columns than the terms")


def _check(holds: bool, mistake: str) -> None:
    if not holds:
        raise StateError(f"Damaged model share ({mistake}): restore it from a copy or train again")
