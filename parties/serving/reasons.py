"""The reasons of a score: its largest contributions, under the names that each party allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parties.serving.schemas import Reason
from vfl.model.part import LabelPart
from vfl.model.predictor import Predictor
from vfl.scoring.platt_scaling import PlattScaling
from vfl.scoring.reasons import names, top


class Reasons:
    """Names the largest contributions to the margins of a model.

    Args:
        model, part: the label party's part of the model, made ready and as it is.
        own: name of the label party.
        shown: by peer of the model the name of each of its columns; an empty list for a peer that is never
            asked.
        link: of a model that stands in for the joint one. A linked margin is ``scale * margin + offset``,
            so contributions are multiplied by the scale, and the base becomes ``scale * base + offset``.
    """

    def __init__(
        self,
        model: Predictor,
        part: LabelPart,
        own: str,
        shown: Sequence[Sequence[str]],
        link: PlattScaling | None = None,
    ) -> None:
        self._model, self._link = model, link or PlattScaling(1.0, 0.0)
        self._reasons = names(part, own, shown)

    def largest(self, gathered: npt.NDArray[Any], count: int) -> tuple[list[list[Reason]], float]:
        """Return for each row its largest contributions, largest first, and the base of all.

        Args:
            gathered: from the model.
            count: how many for each row, at most.
        """
        contributions, base = self._model.contributions(gathered)
        merged = self._reasons.merged(contributions) * self._link.scale
        columns = top(merged, count)
        values = np.take_along_axis(merged, columns, axis=1)
        labels = self._reasons.names
        reasons = [
            [
                Reason(labels[column][0], labels[column][1], value)
                for column, value in zip(row, line, strict=True)
            ]
            for row, line in zip(columns.tolist(), values.tolist(), strict=True)
        ]
        return reasons, base * self._link.scale + self._link.offset
