"""The kinds of model: boosted trees and linear models. Only this module tells their shares apart.

Both kinds of a label party's share have ``columns`` of its table, ``features`` (what it tells contributions
of), ``owners``, ``peers`` and ``objective``; a peer has ``shown``, its columns by name, and ``parts``, how
many numbers it says of a row: 0 where it is never asked. Both kinds of a feature party's share have
``columns`` of its table, ``features`` and ``parts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from vfl.errors import StateError
from vfl.linear.export import to_linear_json
from vfl.linear.model import LinearFeatureShare, LinearLabelShare, LinearPeer
from vfl.linear.predict import LinearPredictor
from vfl.model import FeatureShare, LabelShare, PeerColumns
from vfl.scoring.model import Model
from vfl.trees.export import to_xgboost_json
from vfl.trees.predict import Predictor

AnyLabelShare = LabelShare | LinearLabelShare
AnyFeatureShare = FeatureShare | LinearFeatureShare
AnyPeer = PeerColumns | LinearPeer

_Trees = TypeVar("_Trees", LabelShare, FeatureShare)
_Linear = TypeVar("_Linear", LinearLabelShare, LinearFeatureShare)


def model_of(share: AnyLabelShare) -> Model:
    """A label party's share made ready to score."""
    return Predictor(share) if isinstance(share, LabelShare) else LinearPredictor(share)


def to_json(share: AnyLabelShare | AnyFeatureShare) -> bytes:
    """A share as JSON; numbers are written so that reading gives the same bits."""
    return msgspec.json.encode(share)


def merged(share: AnyLabelShare, parts: Mapping[str, AnyFeatureShare], label_party: str) -> bytes:
    """A whole model as JSON, from the label party's share and every feature party's by name.

    Boosted trees become XGBoost's JSON, linear models that of `vfl.linear.export.MergedModel`.

    Raises:
        StateError: a share is absent, or belongs to another model than the label party's.
    """
    if isinstance(share, LabelShare):
        trees = {name: part for name, part in parts.items() if isinstance(part, FeatureShare)}
        return to_xgboost_json(share, trees)
    linear = {name: part for name, part in parts.items() if isinstance(part, LinearFeatureShare)}
    return to_linear_json(share, linear, label_party)


def label_share(data: bytes) -> AnyLabelShare:
    """Read a label party's share, of whatever kind.

    Raises:
        StateError: not a share of this version, or one that contradicts itself.
    """
    return _read(data, LabelShare, LinearLabelShare)


def feature_share(data: bytes) -> AnyFeatureShare:
    """Read a feature party's share; raises as `label_share` does."""
    return _read(data, FeatureShare, LinearFeatureShare)


class _Tag(msgspec.Struct):
    algorithm: str = "trees"


def _read(data: bytes, trees: type[_Trees], linear: type[_Linear]) -> _Trees | _Linear:
    try:
        is_linear = msgspec.json.decode(data, type=_Tag).algorithm == "linear"
        return msgspec.json.decode(data, type=linear) if is_linear else msgspec.json.decode(data, type=trees)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise StateError(f"Not a readable {trees.__name__}: {error}") from error
