"""What a peer may ask of this party: pure decisions, all in one place. Silence means no.

A function that checks returns quietly or raises :class:`~vfl.errors.NotAllowed` with a sentence for the peer.
"""

from __future__ import annotations

from collections.abc import Sequence

from parties.config import Config
from parties.settings import Limits, Peer, Permission
from vfl.errors import NotAllowed, UnknownPeer
from vfl.wire import messages as m

PERMISSION_FOR: dict[type[m.Message], Permission] = {
    m.OpenAlignment: "align",
    m.OpenTraining: "train",
    m.OpenLinear: "train",
    m.OpenScoring: "score",
    m.AskShare: "export",
}
"""The permission that each opening message needs; the rest of a job follows from its opening."""


def peer_with(config: Config, fingerprint: str) -> str:
    """Return the name of the peer whose certificate has this fingerprint.

    Raises:
        UnknownPeer: it is nobody's.
    """
    for name, peer in config.peers.items():
        if peer.fingerprint == fingerprint:
            return name
    raise UnknownPeer("this certificate is not in this party's configuration; have its people add it")


def check_any(peer: Peer) -> None:
    """Refuse a peer that may ask for nothing at all, before a byte of its message is read."""
    if not peer.allow:
        raise NotAllowed("this party allows you nothing yet; have its people set allow for you")


def check_opening(peer: Peer, opening: m.Message, open_jobs: int) -> None:
    """Refuse a job of a kind or a size that the peer is not granted.

    Args:
        open_jobs: how many jobs the peer has open already.
    """
    permission = PERMISSION_FOR[type(opening)]
    if permission not in peer.allow:
        raise NotAllowed(f"this party does not allow you to {permission}")
    if open_jobs >= peer.limits.open_jobs:
        raise NotAllowed(f"you have {open_jobs} jobs open here; close one before you open another")
    if isinstance(opening, m.OpenAlignment):
        _at_most("rows", opening.rows, peer.limits.max_rows)
    if isinstance(opening, m.OpenTraining):
        _check_training(peer.limits, opening)


def check_owner(peer: str, owner: str) -> None:
    """Refuse a message for a job that another peer opened."""
    if peer != owner:
        raise NotAllowed("this job is not yours; open a job of your own")


def reasons(config: Config, peer: Peer, columns: Sequence[str]) -> list[str]:
    """Return the names under which a peer may tell what these columns contribute; empty where it may not.

    One value under this party's name tells the peer nothing: it knows which splits are this party's, and
    which way rows go there. Groups and columns tell it which of the numbered columns is what.
    """
    if peer.reasons == "none":
        return []
    if peer.reasons == "columns":
        return list(columns)
    groups = config.data.groups if peer.reasons == "groups" else {}
    group_of = {column: group for group, grouped in groups.items() for column in grouped}
    return [group_of.get(column, config.party.name) for column in columns]


def shows_timing(config: Config, fingerprint: str) -> bool:
    """Return whether the peer with this certificate may know how long each step of an answer took."""
    return any(peer.show_timing for peer in config.peers.values() if peer.fingerprint == fingerprint)


def _check_training(limits: Limits, opening: m.OpenTraining) -> None:
    _at_most("trees", opening.trees, limits.max_trees)
    _at_most("max_depth", opening.max_depth, limits.max_depth)
    fit_rows = int.from_bytes(opening.fit_rows, "little").bit_count()
    if fit_rows < limits.min_rows:
        raise NotAllowed(f"training on {fit_rows} rows; this party asks for at least {limits.min_rows}")


def _at_most(what: str, asked: int, limit: int) -> None:
    if asked > limit:
        raise NotAllowed(f"{what}={asked} asked; this party allows you at most {limit}")
