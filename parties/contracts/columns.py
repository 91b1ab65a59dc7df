"""Which columns of this party a contract covers, and the names that the peer may see of them."""

from __future__ import annotations

from collections.abc import Sequence

from parties.config import Config
from parties.config.settings import Peer
from vfl.errors import NotAllowed
from vfl.wire.contract import Member


def agreed_columns(config: Config, peer: Peer, member: Member, names: Sequence[str]) -> list[str]:
    """Return the columns that a contract covers, in their order in the data.

    Args:
        names: this party's columns.

    Raises:
        NotAllowed: the contract asks for a column that is not offered. Where names are not shown, it can ask
            for groups alone, and the answer is the same whether there is such a column or not.
    """
    offered = _resolve(config, peer.columns, names) if peer.columns else set(names)
    if not member.columns:
        requested = offered
    else:
        hidden = (
            [] if peer.show_columns else [name for name in member.columns if name not in config.data.groups]
        )
        requested = set() if hidden else _resolve(config, member.columns, names)
        if not requested or not requested <= offered:
            raise NotAllowed("this contract asks for columns that this party does not offer you")
    if not requested:
        raise NotAllowed("this party offers you no column")
    return [name for name in names if name in requested]


def reasons(config: Config, peer: Peer, columns: Sequence[str]) -> list[str]:
    """Return the names under which a peer may see what these columns contribute; empty where it may not.

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


def _resolve(config: Config, requested: Sequence[str], names: Sequence[str]) -> set[str]:
    """Return columns by their names and by those of groups; empty where one is unknown."""
    resolved: set[str] = set()
    for name in requested:
        columns = config.data.groups.get(name, [name] if name in names else [])
        if not columns:
            return set()
        resolved |= {column for column in columns if column in names}
    return resolved
