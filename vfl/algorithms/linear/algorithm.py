"""Linear models by Newton directions as an algorithm."""

from __future__ import annotations

from vfl.algorithms.descriptor import (
    MAX_ROUNDS,
    Algorithm,
    Grant,
    JobType,
    Limit,
    Term,
    Trained,
    Training,
    TrainingInputs,
)
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.feature_party import Opening
from vfl.algorithms.linear.label_party import train
from vfl.linear_model.model_type import LINEAR, METRIC, LinearFacts
from vfl.linear_model.params import LinearParams
from vfl.wire.session import Handler
from vfl.wire.worker import Worker

LIMITS = (Limit("max_directions", None, "most directions of a linear model that are offered, 1 to 1000"),)


def _worker(grant: Grant) -> Handler:
    most = grant.limits.get("max_directions")
    return Worker(Opening(grant.store, show_columns=grant.show_columns, directions=most)).handle


def _run(inputs: TrainingInputs, params: LinearParams) -> Trained:
    """Train on all rows but those kept out for validation, which have no weight in any sum."""
    result = train(
        inputs.sessions,
        inputs.alignments,
        inputs.table.without(inputs.watch),
        params,
        inputs.private_key,
        model_id=inputs.model_id,
        binning=inputs.binning,
        profile=inputs.profile,
        on_progress=inputs.on_progress,
    )
    return Trained(result.part, METRIC, result.history, LinearFacts.from_result(result))


ALGORITHM = Algorithm(
    name="linear",
    conversation=m.CONVERSATION,
    job=JobType(
        opening=m.OpenLinear,
        action="train",
        activity="training a linear model on columns of both parties",
        worker=_worker,
        makes="model",
        algorithm="linear",
        rows=lambda opening: opening.rows,
        terms=(Term("rounds", MAX_ROUNDS, of_opening=lambda opening: opening.rounds),),
        limits=LIMITS,
    ),
    training=Training(
        model_type=LINEAR,
        params=LinearParams,
        accepts=lambda params: params.protocol == "plain",
        terms=lambda params: {"rounds": params.max_iter},
        run=_run,
        takes_binning=True,
        default_params=lambda on_evidence: LinearParams(standardise=not on_evidence),
    ),
)
