"""Reasons: contributions by name, where a party's columns of one name are one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vfl.arrays import Float64, Integers
from vfl.errors import NotAligned
from vfl.model.part import LabelPart, PeerPart


class Reasons(NamedTuple):
    """The names under which contributions are reported.

    Attributes:
        names: party and name of each reason; the label party's first.
        of_feature: int64 [features], the reason that a feature counts to; -1 for one that is never asked
            and has no name.
    """

    names: list[tuple[str, str]]
    of_feature: Integers

    def merged(self, contributions: Float64) -> Float64:
        """Contributions by reason, float64 [n, reasons], from those by feature: Shapley values add."""
        merged = np.zeros((len(self.names) + 1, len(contributions)), dtype=np.float64)
        np.add.at(merged, self.of_feature, contributions.T)  # the last line takes what has no name: zeros
        return merged[:-1].T


def names(part: LabelPart, label_party: str, names_by_peer: Sequence[Sequence[str]]) -> Reasons:
    """Name the reasons: the label party's features by their own names, others by their owner's.

    Args:
        part: the label party's part.
        label_party: its name.
        names_by_peer: by feature party, the name of each of its columns; equal names are one reason. A party
            that is never asked may give none.

    Raises:
        NotAligned: a feature party gives another number of names than it has columns.
    """
    by_feature: list[tuple[str, str] | None] = [(label_party, column) for column in part.features]
    peers: Sequence[PeerPart] = part.peers
    for party, peer, their_names in zip(part.owners, peers, names_by_peer, strict=True):
        if not their_names and not peer.outputs:
            by_feature += [None] * len(peer.shown)
        elif len(their_names) == len(peer.shown):
            by_feature += [(party, name) for name in their_names]
        else:
            raise NotAligned(f"{party} names {len(their_names)} reasons for {len(peer.shown)} columns")
    reasons = list(dict.fromkeys(reason for reason in by_feature if reason))
    place: dict[tuple[str, str] | None, int] = {reason: number for number, reason in enumerate(reasons)}
    return Reasons(reasons, np.array([place.get(reason, -1) for reason in by_feature], dtype=np.int64))


def top(contributions: Float64, k: int) -> Integers:
    """The ``k`` largest contributions of each row by absolute value, the first of equal ones before.

    Returns:
        int64 [n, k], or as many as there are.
    """
    return np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :k].astype(np.int64)
