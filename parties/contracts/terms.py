"""Whether a contract is one that this party signs, and whether a message keeps to it: pure decisions."""

from __future__ import annotations

from collections.abc import Sequence

from parties.config import Config
from parties.policy import PERMISSION_FOR
from parties.settings import Peer
from vfl.errors import NotAllowed
from vfl.wire import messages as m
from vfl.wire.contract import Algorithm, Contract, Member

CLOCK_SECONDS = 300
"""How far ahead the label party's clock may be."""

DAY = 86_400

ALGORITHM_FOR: dict[type[m.Message], Algorithm] = {
    m.OpenTraining: "trees",
    m.OpenLinear: "linear",
    m.OpenShared: "shared",
}

SUBJECTS = ("alignment", "binning", "model")
"""What an opening names, and its contract by the same field."""


def own_member(contract: Contract, identity: bytes) -> Member:
    """Return what a contract says of the feature party with this identity; raises NotAllowed."""
    for member in contract.feature_parties:
        if member.identity == identity:
            return member
    raise NotAllowed("this contract does not name this party; compare its identity with its people")


def check_proposal(peer: Peer, contract: Contract, now: float) -> None:
    """Hold a contract against the rules for the peer that proposes it.

    Raises:
        NotAllowed: the first rule that it breaks, with what would be signed.
    """
    limits = peer.limits
    if peer.identity is None or contract.label_party.identity.hex() != peer.identity:
        raise NotAllowed("this contract is not by the identity that this party knows you by")
    permission = "train" if contract.action == "bin" else contract.action
    if permission not in peer.allow:
        raise NotAllowed(f"this party does not allow you to {permission}")
    if peer.purposes and contract.purpose not in peer.purposes:
        raise NotAllowed("this party does not sign for this purpose; agree on one with its people")
    if contract.created > now + CLOCK_SECONDS or contract.expires <= now:
        raise NotAllowed("this contract has expired or begins in the future; compare clocks")
    _at_most("days of validity", -(-(contract.expires - contract.created) // DAY), limits.max_days)
    _at_most("rows", contract.rows, limits.max_rows)
    _at_most("rows_per_hour", contract.rows_per_hour, limits.max_rows_per_hour)
    _at_most("trees", contract.trees, limits.max_trees)
    _at_most("max_depth", contract.max_depth, limits.max_depth)
    _at_most("rounds", contract.rounds, limits.max_rounds)
    if contract.action in ("bin", "train"):
        _at_least("key_bits", contract.key_bits, 2048)
    if contract.action == "train":
        if contract.algorithm is None:
            raise NotAllowed("this contract names no algorithm")
        if contract.algorithm == "trees":
            _at_least("node_rows", contract.node_rows, limits.min_node_rows)
            _at_least("histogram_rows", contract.histogram_rows, limits.min_histogram_rows)
    if contract.action == "bin" and contract.binning is None:
        raise NotAllowed("this contract names no binning")
    if contract.action in ("train", "score", "export") and contract.model is None:
        raise NotAllowed("this contract names no model")
    if contract.action != "export" and contract.alignment is None:
        raise NotAllowed("this contract names no alignment")


def agreed_columns(config: Config, peer: Peer, member: Member, names: Sequence[str]) -> list[str]:
    """Return the columns that a contract covers, in their order in the data.

    Args:
        names: this party's columns.

    Raises:
        NotAllowed: a column is asked for that is not offered. Where names are not shown, groups alone can be
            asked for, and the answer is the same whether there is such a column or not.
    """
    offered = _resolve(config, peer.columns, names) if peer.columns else set(names)
    if not member.columns:
        asked = offered
    else:
        hidden = (
            [] if peer.show_columns else [name for name in member.columns if name not in config.data.groups]
        )
        asked = set() if hidden else _resolve(config, member.columns, names)
        if not asked or not asked <= offered:
            raise NotAllowed("this contract asks for columns that this party does not offer you")
    if not asked:
        raise NotAllowed("this party offers you no column")
    return [name for name in names if name in asked]


def check_opening(contract: Contract, opening: m.Message) -> None:
    """Refuse to open a job that the contract is not about, or that is larger.

    Raises:
        NotAllowed: with the first term that it goes beyond.
    """
    _same("action", _action(opening), contract.action)
    _same("algorithm", ALGORITHM_FOR.get(type(opening)), contract.algorithm)
    for name in SUBJECTS:
        if hasattr(opening, name):
            _same(name, getattr(opening, name), getattr(contract, name))
    if hasattr(opening, "public_key"):
        bits = int.from_bytes(opening.public_key, "little").bit_length()
        _at_least("key_bits", bits, contract.key_bits)
    _at_most("rows", _rows(opening), contract.rows, "contract")
    if isinstance(opening, m.OpenTraining):
        _at_most("trees", opening.trees, contract.trees, "contract")
        _at_most("max_depth", opening.max_depth, contract.max_depth, "contract")
    if isinstance(opening, m.OpenLinear):
        _at_most("rounds", opening.rounds, contract.rounds, "contract")
    if isinstance(opening, m.OpenShared):
        _at_most("rounds", opening.steps, contract.rounds, "contract")


def check_message(contract: Contract, message: m.Message) -> None:
    """Refuse a message within a job that goes beyond the contract; raises NotAllowed."""
    if isinstance(message, m.OpenTree) and message.tree >= contract.trees:
        raise NotAllowed(
            f"tree number {message.tree + 1} was asked for; the contract allows {contract.trees}"
        )


def _action(opening: m.Message) -> str:
    return "bin" if isinstance(opening, m.OpenBinning) else PERMISSION_FOR[type(opening)]


def _rows(opening: m.Message) -> int:
    """Return how many customers of the label party a job is about."""
    if isinstance(opening, (m.OpenAlignment, m.OpenLinear, m.OpenShared)):
        return opening.rows
    maps = [getattr(opening, name, b"") for name in ("fit_rows", "watch_rows")]
    return sum(int.from_bytes(rows, "little").bit_count() for rows in maps)


def _resolve(config: Config, asked: Sequence[str], names: Sequence[str]) -> set[str]:
    """Return columns by their names and by those of groups; empty where one is unknown."""
    found: set[str] = set()
    for name in asked:
        columns = config.data.groups.get(name, [name] if name in names else [])
        if not columns:
            return set()
        found |= {column for column in columns if column in names}
    return found


def _same(what: str, asked: str | None, agreed: str | None) -> None:
    if asked != agreed:
        raise NotAllowed(f"the contract is about another {what}; propose one for this")


def _at_most(what: str, asked: int, limit: int, whose: str = "party") -> None:
    if asked > limit:
        raise NotAllowed(f"{what}={asked} asked; this {whose} allows you at most {limit}")


def _at_least(what: str, asked: int, limit: int) -> None:
    if asked < limit:
        raise NotAllowed(f"{what}={asked} asked; {limit} is the least that is allowed here")
