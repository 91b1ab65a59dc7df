"""The parity check before publishing: every way of scoring gives the same float32, bit for bit."""

from __future__ import annotations

import numpy as np

from parties.label.cohort import Population
from parties.serving.deployment import Deployment
from parties.serving.publication import Parity
from parties.serving.schemas import Scored, ScoreRecord
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Float32, Floats, Integers
from vfl.errors import StateError
from vfl.model.predictor import Answers

NO_ROWS: Integers = np.zeros(0, dtype=np.int64)
NO_ANSWERS: Answers = np.zeros((0, 0), dtype=np.bool_)

SAMPLE_ROWS = 1_000
"""Customers drawn; all of a population that has fewer."""

RARE_ROWS = 100
"""Customers unknown to each peer, and known to it, that the sample has at least, where there are any."""

ALONE_ROWS = 20
"""Customers of the sample that are scored in requests of their own; the others share requests."""

REQUEST_ROWS = 200

WITHIN = 1e-12
"""By which scores of two libraries in float64 may differ, of scores above 1: they add in another order."""


def check(deployment: Deployment, customers: Population, batch: Float32, seconds: float) -> Parity:
    """Score a sample of customers online and with another library, and compare with their scores in batch.

    The other library (XGBoost for trees, scikit-learn for linear models) gets the label party's own view of
    the model, and what peers answer about real customers.

    Args:
        deployment: of the publication to be.
        customers: its population.
        batch: float32 [usable rows], their scores from `LabelParty.score_population`.
        seconds: how long to wait for peers.

    Raises:
        StateError: scores differ, with how many and by how much; or a peer did not answer.
    """
    loaded = customers.rows
    locations = deployment.customers.find(loaded.identifiers.keys)
    sample = _sample(locations.positions, len(batch))
    table_rows = loaded.identifiers.rows[sample].tolist()
    records = [
        ScoreRecord({field: texts[row] for field, texts in loaded.table.keys.items()}) for row in table_rows
    ]
    online = _online(deployment, records, seconds)
    positions = {peer: places[sample] for peer, places in locations.positions.items()}
    reference = _reference(deployment, loaded.table.columns[table_rows], positions, seconds)
    _compare("online and in batch", online, batch[sample])
    _compare("by another library and in batch", reference, batch[sample])
    unknown = {peer: int(np.count_nonzero(places < 0)) for peer, places in positions.items()}
    return Parity(rows=len(sample), unknown=unknown)


def _sample(positions: dict[str, Integers], n_rows: int) -> Integers:
    """Draw rows so that every peer's known and unknown customers are among them."""
    if n_rows <= SAMPLE_ROWS:
        return np.arange(n_rows)
    rng = np.random.default_rng(0)  # which rows is no secret
    drawn = [rng.choice(n_rows, SAMPLE_ROWS, replace=False)]
    for places in positions.values():
        for rows in (np.flatnonzero(places < 0), np.flatnonzero(places >= 0)):
            drawn.append(rng.choice(rows, min(len(rows), RARE_ROWS), replace=False))
    return np.unique(np.concatenate(drawn))


def _online(deployment: Deployment, records: list[ScoreRecord], seconds: float) -> Float32:
    requests = [records[row : row + 1] for row in range(min(ALONE_ROWS, len(records)))]
    requests += [records[row : row + REQUEST_ROWS] for row in range(ALONE_ROWS, len(records), REQUEST_ROWS)]
    scores: list[float] = []
    for request in requests:
        for result in deployment.score(request, seconds, 0).answer.results:
            if not isinstance(result, Scored) or result.mode != "joint":
                reason = result.parties if isinstance(result, Scored) else result.code
                raise StateError(f"not published: a customer of the sample got no joint score ({reason})")
            scores.append(result.score)
    return np.array(scores, dtype=np.float32)


def _reference(
    deployment: Deployment, columns: Float32, positions: dict[str, Integers], seconds: float
) -> Floats:
    owners = deployment.part.owners
    answers, rows = [NO_ANSWERS] * len(owners), [NO_ROWS] * len(owners)
    for number, peer in enumerate(owners):
        if peer in deployment.peers:
            rows[number] = np.flatnonzero(positions[peer] >= 0)
            question = deployment.peers[peer].ask(positions[peer][rows[number]])
            answers[number] = question.answer.result(seconds)
    return ALGORITHMS.predictor(deployment.part).reference_predictions(columns, answers, rows)


def _compare(how: str, scores: Floats, batch: Float32) -> None:
    """Raise unless scores are those in batch to the last bit of float32.

    Another library's scores in float64 may be off by `WITHIN` before they are rounded.
    """
    off = 0.0 if scores.dtype == np.float32 else WITHIN * np.maximum(1.0, np.abs(scores))
    low, high = (scores - off).astype(np.float32), (scores + off).astype(np.float32)
    differ = ~((low <= batch) & (batch <= high))
    if differ.any():
        largest = float(np.abs(scores[differ].astype(np.float64) - batch[differ]).max())
        raise StateError(
            f"not published: {np.count_nonzero(differ)} of {len(batch)} customers have different scores "
            f"{how}, by up to {largest:.3g}; has a partner changed its data or its part?"
        )
