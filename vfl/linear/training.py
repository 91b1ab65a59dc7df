"""Training of a linear model under whichever protocol its parameters name."""

from __future__ import annotations

from collections.abc import Mapping

from vfl.crypto.paillier import PrivateKey, Profile
from vfl.linear import label_party as plain
from vfl.linear.design import NamedBinning
from vfl.linear.label_party import LinearResult, Progress
from vfl.linear.shared import label_party as shared
from vfl.params import LinearParams
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.wire.session import LabelSession


def train(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    table: LabelTable,
    params: LinearParams,
    private_key: PrivateKey,
    *,
    model_id: str,
    binning: NamedBinning | None = None,
    profile: Profile = "short",
    on_progress: Progress = lambda done, total, what: None,
) -> LinearResult:
    """Train a linear model: as `vfl.linear.label_party.train`, or as `vfl.linear.shared.label_party.train`.

    Without feature parties there is nothing to keep from them, and the protocols are the same.
    """
    by_protocol = shared.train if sessions and params.protocol == "shared" else plain.train
    return by_protocol(
        sessions,
        alignments,
        table,
        params,
        private_key,
        model_id=model_id,
        binning=binning,
        profile=profile,
        on_progress=on_progress,
    )
