"""Which worker of the library answers a job, and with what of this party's."""

from __future__ import annotations

from functools import partial

from parties import policy
from parties.config import Config
from parties.contracts.kept import Kept
from parties.feature.store import PeerStore
from parties.rows import Source
from parties.settings import Peer
from vfl.errors import NotAligned, NotAllowed
from vfl.linear.feature_party import LinearWorker
from vfl.linear.shared.feature_party import SharedWorker
from vfl.psi.feature_party import AlignmentWorker
from vfl.scorecard.feature_party import BinningWorker
from vfl.scoring.feature_party import ScoringWorker, ShareWorker
from vfl.trees.feature_party import TrainingWorker
from vfl.trees.guard import Guard
from vfl.wire import messages as m
from vfl.wire.session import Handler

ALIGNED = (m.OpenTraining, m.OpenBinning, m.OpenLinear, m.OpenShared, m.OpenScoring)
"""Openings of jobs on aligned rows."""

MODELLED = (m.OpenTraining, m.OpenLinear, m.OpenShared)
"""Openings of jobs that make a model."""


def worker_for(config: Config, source: Source, peer: str, opening: m.Message, kept: Kept) -> Handler:
    """Return what answers the requests of the job that a peer opens under a contract.

    Raises:
        NotAllowed: a name that is taken already, or a model that this party has no share of.
        NotAligned: an alignment that this party has not made with the peer.
        DataError: this party's own data cannot be used.
    """
    grant = config.peers[peer]
    store = PeerStore(config, peer, source, kept.columns)
    if isinstance(opening, m.OpenAlignment):
        if store.is_used("alignment", opening.alignment):
            raise NotAllowed(f"alignment {opening.alignment} exists already; choose another name")
        return AlignmentWorker(
            source.rows().identifiers,
            store,
            peer=peer,
            min_rows=grant.limits.min_common_rows,
            max_rows=grant.limits.max_rows,
        ).handle
    if isinstance(opening, ALIGNED) and not store.has("alignment", opening.alignment):
        raise NotAligned(f"this party has made no alignment {opening.alignment} with you; align first")
    if isinstance(opening, ALIGNED):
        store.use("alignment", opening.alignment)
    if isinstance(opening, MODELLED) and store.is_used("share", opening.model):
        raise NotAllowed(f"model {opening.model} exists already; choose another name")
    if isinstance(opening, m.OpenTraining):
        guard = Guard(
            node_rows=kept.contract.node_rows,
            histogram_rows=kept.contract.histogram_rows,
            vector_rows=grant.limits.min_rows,
            histograms=grant.limits.max_histograms,
        )
        return TrainingWorker(store, show_columns=grant.show_columns, guard=guard).handle
    if isinstance(opening, m.OpenBinning):
        return _binning_worker(store, grant, opening)
    if isinstance(opening, (m.OpenLinear, m.OpenShared)):
        return _linear_worker(config, store, grant, opening)
    if not isinstance(opening, (m.OpenScoring, m.AskShare)):
        raise NotAllowed("this party does not answer such jobs")
    if not store.has("share", opening.model):
        raise NotAllowed(f"this party has no share of a model {opening.model} of yours; train it first")
    columns = store.load_share(opening.model).columns
    if not {*columns} <= {*kept.columns}:
        raise NotAllowed(f"model {opening.model} uses a column that the contract does not cover")
    store.use("share", opening.model)
    if isinstance(opening, m.OpenScoring):
        store = PeerStore(config, peer, source, columns)
        return ScoringWorker(store, partial(policy.reasons, config, grant)).handle
    return ShareWorker(store).handle


def _binning_worker(store: PeerStore, grant: Peer, opening: m.OpenBinning) -> Handler:
    if store.is_used("binning", opening.binning):
        raise NotAllowed(f"binning {opening.binning} exists already; choose another name")
    least = grant.limits.min_bin_rows
    return BinningWorker(store, show_columns=grant.show_columns, min_rows=least).handle


def _linear_worker(
    config: Config, store: PeerStore, grant: Peer, opening: m.OpenLinear | m.OpenShared
) -> Handler:
    policy.check_rows(grant, len(store.load_alignment(opening.alignment).identifiers))
    if opening.binning is not None:
        if not store.has("binning", opening.binning):
            raise NotAllowed(f"this party has no binning {opening.binning} of yours; bin first")
        store.use("binning", opening.binning)
    if isinstance(opening, m.OpenShared):
        return SharedWorker(store, show_columns=grant.show_columns, profile=config.crypto.profile).handle
    most = grant.limits.max_directions
    return LinearWorker(store, show_columns=grant.show_columns, directions=most).handle
