"""A party's part of a scorecard: the points of its own bins in a linear model on weights of evidence."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from parties.config import Config
from parties.feature.store import PeerStore
from parties.label.archive import Archive
from parties.rows import Source
from vfl.errors import StateError
from vfl.linear.model import LinearFeatureShare, LinearLabelShare
from vfl.scorecard.card import PointsRow, points_table
from vfl.scorecard.points import Scale


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
    share = _label_share(config, model) if is_label else _feature_share(config, model, peer)
    if share.binning is None:
        raise StateError(f"model {model} is not on weights of evidence; train one with --binning")
    base, peers = None, dict[str, float]()
    if isinstance(share, LinearLabelShare):
        base = scale.base_points(share.intercept)
        strangers = zip(share.owners, share.peers, strict=True)
        peers = {name: -scale.factor * of.unknown for name, of in strangers}
    return Scorecard(
        model=model,
        party=config.party.name,
        pdo=scale.pdo,
        base_score=scale.base_score,
        base_odds=scale.base_odds,
        base_points=base,
        unknown=peers,
        rows=points_table(share.binning, np.array(share.terms.coefficients), scale),
    )


def _label_share(config: Config, model: str) -> LinearLabelShare:
    _, share = Archive(config).load_model(model)
    if not isinstance(share, LinearLabelShare) or share.params.loss != "logistic":
        raise StateError(f"model {model} is no logistic model: only such a one has a scorecard")
    return share


def _feature_share(config: Config, model: str, peer: str | None) -> LinearFeatureShare:
    source = Source(config)
    stores = {name: PeerStore(config, name, source) for name in config.peers if peer in (None, name)}
    having = [name for name, store in stores.items() if store.has("share", model)]
    if len(having) > 1:
        raise StateError(f"{', '.join(having)} each have a model {model}; say which with --peer")
    share = stores[having[0]].load_share(model) if having else None
    if not isinstance(share, LinearFeatureShare):
        raise StateError(f"this party has no share of a linear model {model}")
    return share
