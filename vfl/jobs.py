"""Every kind of job, and the protocol that they make together.

Alignment, scoring and export are always there; each algorithm brings one more. `register` adds an algorithm
from outside, as the tests do with a small one.
"""

from __future__ import annotations

from vfl.algorithms.descriptor import Algorithm, Grant, JobType, Limit, Term
from vfl.algorithms.registry import ALGORITHMS
from vfl.psi import messages as alignment_messages
from vfl.psi.feature_party import AlignmentWorker
from vfl.scoring import messages as scoring_messages
from vfl.scoring.job_types import EXPORT_JOB, SCORING_JOB
from vfl.wire import contract_messages, ledger_messages
from vfl.wire.message import Message
from vfl.wire.protocol import Protocol
from vfl.wire.session import Handler


def _alignment_worker(grant: Grant) -> Handler:
    assert grant.identifiers is not None  # a feature party has customers  # noqa: S101
    return AlignmentWorker(
        grant.identifiers(),
        grant.store,
        peer=grant.peer,
        min_rows=grant.limits.get("min_common_rows") or 1,
        max_rows=grant.limits.get("max_rows") or 0,
    ).handle


ALIGNMENT_JOB = JobType(
    opening=alignment_messages.OpenAlignment,
    action="align",
    activity="finding out which customers both parties have",
    worker=_alignment_worker,
    makes="alignment",
    rows=lambda opening: opening.rows,
)

JOB_TYPES: dict[type[Message], JobType] = {
    job.opening: job for job in (ALIGNMENT_JOB, SCORING_JOB, EXPORT_JOB)
}
"""The kinds of job by the message that opens them."""

PROTOCOL = Protocol(
    [
        contract_messages.CONVERSATION,
        alignment_messages.CONVERSATION,
        scoring_messages.CONVERSATION,
        ledger_messages.CONVERSATION,
    ]
)
"""All messages of this release."""


def register(algorithm: Algorithm) -> None:
    """Let all parties of this process run an algorithm.

    Raises:
        ValueError: its name, or one of its messages, is taken.
    """
    ALGORITHMS.add(algorithm)
    _join(algorithm)


def limits() -> dict[str, Limit]:
    """Return the limits that algorithms bring, by name; each is a key of ``[peers.NAME.limits]``."""
    limits = [limit for job in JOB_TYPES.values() for limit in (*(t.limit for t in job.terms), *job.limits)]
    return {limit.name: limit for limit in limits}


def terms() -> dict[str, Term]:
    """Return the numbers that contracts may fix, by name."""
    return {term.name: term for job in JOB_TYPES.values() for term in job.terms}


def _join(algorithm: Algorithm) -> None:
    JOB_TYPES[algorithm.job.opening] = algorithm.job
    PROTOCOL.add(algorithm.conversation)
    training = algorithm.training
    if training and training.model_type.question not in PROTOCOL.replies:
        PROTOCOL.add(training.model_type.conversation)


for _algorithm in ALGORITHMS:
    _join(_algorithm)
