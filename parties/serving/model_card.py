"""The card of a served model: all that its users may know of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from parties.config import Config
from parties.serving.deployment import Deployment
from parties.serving.schemas import ModelCard, PartyCard
from parties.storage.model_store import headline
from vfl.model.part import PeerPart


def model_card(config: Config, deployment: Deployment) -> ModelCard:
    """Return the card of a model."""
    publication, record, part = deployment.publication, deployment.record, deployment.part
    own = PartyCard(
        role="label", columns=part.columns, columns_total=len(part.columns), reasons=part.features
    )
    parties = {config.party.name: own}
    reasons = deployment.reason_names()
    peers: Sequence[PeerPart] = part.peers
    for peer, columns in zip(part.owners, peers, strict=True):
        parties[peer] = PartyCard(
            role="feature",
            columns=[name for name in columns.shown if name],
            columns_total=len(columns.shown),
            reasons=list(dict.fromkeys(reasons.get(peer, []))),
        )
    return ModelCard(
        model=publication.model,
        publication=publication.number,
        created=publication.created,
        trained=record.created,
        rows=record.rows,
        validation_rows=record.validation_rows,
        parties=parties,
        algorithm=record.algorithm,
        objective=part.objective,
        summary=headline(record),
        params=msgspec.to_builtins(part.params),
        metrics=publication.metrics,
        metrics_on=publication.metrics_on,
        threshold=publication.threshold,
        fallback=publication.fallback,
        population=publication.population,
    )
