"""Which worker of the library answers a job, and with what of this party's."""

from __future__ import annotations

from functools import partial

from parties import policy
from parties.config import Config
from parties.contracts import Kept
from parties.local import PeerStore
from parties.rows import Source
from vfl.errors import NotAligned, NotAllowed
from vfl.psi.feature_party import AlignmentWorker
from vfl.scoring.feature_party import ScoringWorker, ShareWorker
from vfl.trees.feature_party import TrainingWorker
from vfl.trees.guard import Guard
from vfl.wire import messages as m
from vfl.wire.session import Handler


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
        if store.has_alignment(opening.alignment):
            raise NotAllowed(f"alignment {opening.alignment} exists already; choose another name")
        return AlignmentWorker(
            source.rows().identifiers,
            store,
            peer=peer,
            min_rows=grant.limits.min_common_rows,
            max_rows=grant.limits.max_rows,
        ).handle
    if isinstance(opening, (m.OpenTraining, m.OpenScoring)) and not store.has_alignment(opening.alignment):
        raise NotAligned(f"this party has made no alignment {opening.alignment} with you; align first")
    if isinstance(opening, m.OpenTraining):
        if store.has_share(opening.model):
            raise NotAllowed(f"model {opening.model} exists already; choose another name")
        guard = Guard(
            node_rows=kept.contract.node_rows,
            bin_rows=kept.contract.bin_rows,
            vector_rows=grant.limits.min_rows,
            histograms=grant.limits.max_histograms,
        )
        return TrainingWorker(store, show_columns=grant.show_columns, guard=guard).handle
    if not isinstance(opening, (m.OpenScoring, m.AskShare)):
        raise NotAllowed("this party does not answer such jobs")
    if not store.has_share(opening.model):
        raise NotAllowed(f"this party has no share of a model {opening.model} of yours; train it first")
    columns = store.load_share(opening.model).columns
    if not {*columns} <= {*kept.columns}:
        raise NotAllowed(f"model {opening.model} uses a column that the contract does not cover")
    if isinstance(opening, m.OpenScoring):
        store = PeerStore(config, peer, source, columns)
        return ScoringWorker(store, partial(policy.reasons, config, grant)).handle
    return ShareWorker(store).handle
