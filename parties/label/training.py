"""How a label party trains one kind of model or the other: with its peers, then of its own columns alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from parties.label.archive import AlignmentRecord, LinearFacts, ModelRecord
from parties.label.checkpoints import Underway
from parties.link.retry import until_done
from parties.progress import Progress
from vfl.crypto.paillier import PrivateKey, Profile
from vfl.linear import training as linear
from vfl.linear.design import NamedBinning
from vfl.params import LinearParams, TreeParams
from vfl.psi.alignment import Alignment
from vfl.scoring.kinds import AnyLabelShare
from vfl.table import LabelTable
from vfl.trees import label_party as trees
from vfl.trees.stopping import EarlyStopping
from vfl.wire.session import LabelSession

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Data:
    """What a job works on.

    Attributes:
        aligned, alignments: the alignment as it is on record, and by peer.
        table: the rows that take part.
        watch: bool [n], those kept out for validation.
        key: of the label party's cipher.
    """

    aligned: AlignmentRecord
    alignments: dict[str, Alignment]
    table: LabelTable
    watch: Bool
    key: PrivateKey


@dataclass(frozen=True)
class Job:
    """What every training job is given.

    Attributes:
        sessions: opens conversations with the peers of the alignments.
        data: what it works on.
        profile: of the randomness of ciphertexts.
        underway: where it stands.
        on_progress: of the training with the peers.
    """

    sessions: Callable[[], Mapping[str, LabelSession]]
    data: Data
    profile: Profile
    underway: Underway
    on_progress: Progress


class Trained(NamedTuple):
    """A model, the one of the label party alone beside it, and what is on record of them."""

    record: ModelRecord
    share: AnyLabelShare
    bank_only: AnyLabelShare


def train_trees(job: Job, params: TreeParams, record: ModelRecord) -> Trained:
    """Train boosted trees; ``record`` says what was asked. Raises as `vfl.trees.label_party.train`."""
    result = until_done(
        lambda: trees.train(
            job.sessions(),
            job.data.alignments,
            job.data.table,
            params,
            job.data.key,
            model_id=record.model,
            watch=job.data.watch,
            profile=job.profile,
            on_progress=job.on_progress,
            resume=job.underway.checkpoint,
            keep=job.underway.keep,
        )
    )
    seconds = job.underway.seconds
    data = job.data
    alone = trees.train({}, {}, data.table, params, data.key, model_id=record.model, watch=data.watch)
    found = msgspec.structs.replace(
        record,
        trees=len(result.share.trees),
        metric=EarlyStopping(params, job.data.table.labels[:0], None).name,
        history=result.history,
        importances=result.importances,
        guarded=result.guarded,
        seconds=seconds,
    )
    return Trained(found, result.share, alone.share)


def train_linear(
    job: Job, params: LinearParams, binning: NamedBinning | None, record: ModelRecord
) -> Trained:
    """Train a linear model, from its start; ``record`` says what was asked; raises as `linear.train`.

    Validation rows have no weight: they take part in no sum but their parties' means and deviations.
    """
    data = job.data
    weights = np.ones(len(data.watch), np.float32) if data.table.weights is None else data.table.weights
    weights = np.where(data.watch, np.float32(0), weights)
    table = dataclasses.replace(data.table, weights=weights) if data.watch.any() else data.table
    result = until_done(
        lambda: linear.train(
            job.sessions(),
            job.data.alignments,
            table,
            params,
            job.data.key,
            model_id=record.model,
            binning=binning,
            profile=job.profile,
            on_progress=job.on_progress,
        )
    )
    seconds = job.underway.seconds
    alone = linear.train({}, {}, table, params, job.data.key, model_id=record.model, binning=binning)
    share = result.share
    found = msgspec.structs.replace(
        record,
        algorithm="linear",
        metric="largest change",
        history=result.history,
        linear=LinearFacts(
            intercept=share.intercept,
            coefficients=dict(zip(share.terms.columns, share.terms.coefficients, strict=True)),
            unknown={name: of.unknown for name, of in zip(share.owners, share.peers, strict=True)},
            directions=result.directions,
            converged=result.converged,
        ),
        seconds=seconds,
    )
    return Trained(found, share, alone.share)


def validation_seed(params: TreeParams | LinearParams) -> int:
    """Return the seed that draws validation rows."""
    return params.random_state if isinstance(params, TreeParams) else 0
