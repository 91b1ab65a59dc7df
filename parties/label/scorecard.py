"""A party's part of a scorecard: the points of its own bins in a linear model on weights of evidence."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from parties.config import Config
from parties.data.rows import Source
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from vfl.algorithms.scorecard.card import PointsRow, points_table
from vfl.algorithms.scorecard.points import Scale
from vfl.errors import StateError
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart


class Scorecard(Struct, frozen=True, kw_only=True):
    """A party's part.

    Attributes:
        model, party: their names.
        pdo, base_score, base_odds: the scale.
        base_points: what every customer has; None at a feature party.
        unknown: by feature party, the points of customers that it does not know, in place of its bins; at
            the label party.
        rows: points by bin.
    """

    model: str
    party: str
    pdo: float
    base_score: float
    base_odds: float
    base_points: float | None
    unknown: dict[str, float]
    rows: list[PointsRow]


def scorecard(config: Config, model: str, scale: Scale, peer: str | None = None) -> Scorecard:
    """Return the points of a party's own bins.

    Args:
        peer: at a feature party, the label party of the model, where several have one of that name.

    Raises:
        StateError: no such model, or one that has no points: not linear, or not on weights of evidence.
    """
    is_label = config.party.role == "label"
    part = _label_part(config, model) if is_label else _feature_part(config, model, peer)
    if part.binning is None:
        raise StateError(f"model {model} is not on weights of evidence; train one with --binning")
    base, peers = None, dict[str, float]()
    if isinstance(part, LinearLabelPart):
        base = scale.base_points(part.intercept)
        peers = {
            name: -scale.factor * terms.unknown for name, terms in zip(part.owners, part.peers, strict=True)
        }
    return Scorecard(
        model=model,
        party=config.party.name,
        pdo=scale.pdo,
        base_score=scale.base_score,
        base_odds=scale.base_odds,
        base_points=base,
        unknown=peers,
        rows=points_table(part.binning, np.array(part.terms.coefficients), scale),
    )


def _label_part(config: Config, model: str) -> LinearLabelPart:
    _, part = ModelStore(config).load_model(model)
    if not isinstance(part, LinearLabelPart) or part.params.loss != "logistic":
        raise StateError(f"model {model} is no logistic model: only such a one has a scorecard")
    return part


def _feature_part(config: Config, model: str, peer: str | None) -> LinearFeaturePart:
    source = Source(config)
    stores = {name: PeerStore(config, name, source) for name in config.peers if peer in (None, name)}
    owners = [name for name, store in stores.items() if store.has("part", model)]
    if len(owners) > 1:
        raise StateError(f"{', '.join(owners)} each have a model {model}; name one with --peer")
    part = stores[owners[0]].load_part(model) if owners else None
    if not isinstance(part, LinearFeaturePart):
        raise StateError(f"this party has no part of a linear model {model}")
    return part
