"""From the message that opens a job to the worker of the library that answers it."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from parties.config import Config
from parties.contracts import rules
from parties.contracts.columns import reasons
from parties.contracts.contract_store import StoredContract
from parties.data.rows import Source
from parties.storage.peer_store import Kind, PeerStore
from vfl.algorithms.descriptor import Grant, JobType
from vfl.errors import NotAligned, NotAllowed
from vfl.jobs import JOB_TYPES
from vfl.wire.message import Message
from vfl.wire.session import Handler


def worker_for(
    config: Config, source: Source, peer: str, opening: Message, stored: StoredContract
) -> Handler:
    """Return what answers the requests of the job that a peer opens under a contract.

    Raises:
        NotAllowed: a name that is taken already, or something that this party has not made with the peer.
        NotAligned: an alignment that this party has not made with the peer.
        DataError: this party's own data cannot be used.
    """
    job = JOB_TYPES[type(opening)]
    store = PeerStore(config, peer, source, stored.columns)
    _check_new(store, job, opening)
    if hasattr(opening, "alignment") and job.makes != "alignment":
        _use_alignment(store, opening.alignment)
        if job.action == "train":
            rows = len(store.load_alignment(opening.alignment).identifiers)
            rules.check_trained_rows(config.peers[peer], rows)
    if getattr(opening, "binning", None) is not None and job.makes != "binning":
        _use_binning(store, opening)
    if hasattr(opening, "model") and job.makes != "model":
        store = PeerStore(config, peer, source, _use_part(store, opening, stored))
    grant = config.peers[peer]
    return job.worker(
        Grant(
            peer=peer,
            store=store,
            terms=stored.contract.terms,
            limits=grant.limits.by_name,
            show_columns=grant.show_columns,
            profile=config.crypto.profile,
            reasons=partial(reasons, config, grant),
            identifiers=lambda: source.rows().identifiers,
        )
    )


def _check_new(store: PeerStore, job: JobType, opening: Any) -> None:
    """Refuse to make what there is already under its name."""
    if job.makes is None:
        return
    kind = cast(Kind, "part" if job.makes == "model" else job.makes)
    name = getattr(opening, job.makes)
    if store.is_used(kind, name):
        raise NotAllowed(f"{job.makes} {name} exists already; choose another name")


def _use_alignment(store: PeerStore, name: str) -> None:
    if not store.has("alignment", name):
        raise NotAligned(f"this party has made no alignment {name} with you; align first")
    store.use("alignment", name)


def _use_binning(store: PeerStore, opening: Any) -> None:
    if not store.has("binning", opening.binning):
        raise NotAllowed(f"this party has no binning {opening.binning} of yours; bin first")
    store.use("binning", opening.binning)


def _use_part(store: PeerStore, opening: Any, stored: StoredContract) -> list[str]:
    """Take a model into use, and return the columns of this party that it takes."""
    if not store.has("part", opening.model):
        raise NotAllowed(f"this party has no part of a model {opening.model} of yours; train it first")
    columns = store.load_part(opening.model).columns
    if not {*columns} <= {*stored.columns}:
        raise NotAllowed(f"model {opening.model} uses a column that the contract does not cover")
    store.use("part", opening.model)
    return columns
