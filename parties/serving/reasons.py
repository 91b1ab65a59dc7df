"""Contributions as they may be told: by name, each party's columns of one name as one value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from parties.serving.answers import Reason
from vfl.model import LabelShare
from vfl.scoring.fallback import Link
from vfl.trees.contributions import Contributions

Bool = npt.NDArray[np.bool_]


class Reasons:
    """Tells the largest contributions to the margins of a model.

    Args:
        share: the label party's share of the model.
        own: name of the label party.
        names: by feature party of the model the name of each of its columns; an empty list leaves all of
            them out, which suits a party that won no split.
        link: of a model that stands in for the joint one. A linked margin is ``scale * margin + offset``,
            so contributions are multiplied by the scale, and the base becomes ``scale * base + offset``.
    """

    def __init__(
        self, share: LabelShare, own: str, names: Sequence[Sequence[str]], link: Link | None = None
    ) -> None:
        self._contributions = Contributions(share)
        self._link = link or Link(1.0, 0.0)
        told = [(own, column) for column in share.columns]
        for peer, columns, shown in zip(share.owners, share.peers, names, strict=True):
            told += [(peer, name) for name in shown] if shown else [("", "")] * len(columns.shown)
        self._told = list(dict.fromkeys(pair for pair in told if pair[0]))
        self._sums = np.zeros((len(told), len(self._told)), dtype=np.float64)
        for feature, pair in enumerate(told):
            if pair[0]:
                self._sums[feature, self._told.index(pair)] = 1.0

    def of(self, sides: Bool, count: int) -> tuple[list[list[Reason]], float]:
        """Return for each row its largest contributions, largest first, and the base of all.

        Args:
            sides: bool [splits + 1, n], from `vfl.trees.predict.Predictor.sides`.
            count: how many for each row, at most.
        """
        contributions, base = self._contributions.of(sides)
        told = contributions @ self._sums * self._link.scale
        largest = np.argsort(-np.abs(told), axis=1, kind="stable")[:, :count]
        values = np.take_along_axis(told, largest, axis=1)
        reasons = [
            [Reason(self._told[at][0], self._told[at][1], value) for at, value in zip(row, line, strict=True)]
            for row, line in zip(largest.tolist(), values.tolist(), strict=True)
        ]
        return reasons, base * self._link.scale + self._link.offset
