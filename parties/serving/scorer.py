"""Scores from own columns and replies of peers, by the joint model or by the bank-only model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from parties.serving.fanout import PeerReply
from parties.serving.reasons import Reasons
from parties.serving.schemas import Reason
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Bool, Float32, Integers
from vfl.model.part import LabelPart
from vfl.scoring.platt_scaling import PlattScaling

NO_ROWS: Integers = np.zeros(0, dtype=np.int64)


class Values(NamedTuple):
    """Scores float32 [n]; the reasons of each row and their base where they were asked for."""

    scores: Float32
    reasons: list[list[Reason]] | None = None
    bases: list[float] | None = None


class Scorer:
    """The joint model and the bank-only model, made ready. Thread-safe.

    Args:
        part: the label party's part of the joint model.
        alone: the whole of the model that it trained alone.
        link: from that model's margins to the joint scale.
        bank: name of the label party.
    """

    def __init__(self, part: LabelPart, alone: LabelPart, link: PlattScaling, bank: str) -> None:
        self._part, self._alone, self._link, self._bank = part, alone, link, bank
        self._joint_model, self._alone_model = ALGORITHMS.predictor(part), ALGORITHMS.predictor(alone)
        self._alone_reasons: Reasons | None = None
        self._joint_reasons: tuple[Mapping[str, list[str]], Reasons] | None = None

    def joint(
        self, columns: Float32, replies: Mapping[str, PeerReply], names: Mapping[str, list[str]], reasons: int
    ) -> Values:
        """Score rows with the joint model; what no peer answered counts as the model defines.

        Args:
            columns: float32 [n, own columns].
            replies: by peer that the model asks.
            names: by peer the names of reasons; used where reasons are asked for.
            reasons: how many for each row.
        """
        absent = PeerReply("unknown_customer", NO_ROWS, None, 0.0)
        in_order = [replies.get(owner, absent) for owner in self._part.owners]
        values, rows = [reply.values for reply in in_order], [reply.rows for reply in in_order]
        model = self._joint_model
        if not reasons:
            return Values(model.predict(columns, values, rows))
        gathered = model.gather(columns, values, rows)
        scores = model.scores(model.margins(gathered))
        largest, base = self._reasons_under(names).largest(gathered, reasons)
        return Values(scores, largest, [base] * len(columns))

    def alone(self, columns: Float32, reasons: int = 0) -> Values:
        """Score rows with the bank-only model, linked to the joint scale."""
        model = self._alone_model
        gathered = model.gather(columns, [], [])
        scores = model.scores(self._link.margins(model.margins(gathered)))
        if not reasons:
            return Values(scores)
        if self._alone_reasons is None:
            self._alone_reasons = Reasons(model, self._alone, self._bank, [], self._link)
        largest, base = self._alone_reasons.largest(gathered, reasons)
        return Values(scores, largest, [base] * len(columns))

    def with_fallback(
        self,
        complete: Bool,
        columns: Float32,
        replies: Mapping[str, PeerReply],
        names: Mapping[str, list[str]],
        reasons: int,
    ) -> Values:
        """Score complete rows jointly and all others alone."""
        if complete.all():
            return self.joint(columns, replies, names, reasons)
        if not complete.any():
            return self.alone(columns, reasons)
        values, alone = self.joint(columns, replies, names, reasons), self.alone(columns[~complete], reasons)
        values.scores[~complete] = alone.scores
        for row, number in enumerate(np.flatnonzero(~complete).tolist()):
            if values.reasons is not None and alone.reasons is not None:
                values.reasons[number] = alone.reasons[row]
            if values.bases is not None and alone.bases is not None:
                values.bases[number] = alone.bases[row]
        return values

    def _reasons_under(self, names: Mapping[str, list[str]]) -> Reasons:
        """Return the joint model's reasons under these names, made anew when a party has changed its own."""
        if self._joint_reasons is None or self._joint_reasons[0] != names:
            by_owner: Sequence[list[str]] = [names.get(owner, []) for owner in self._part.owners]
            made = Reasons(self._joint_model, self._part, self._bank, by_owner)
            self._joint_reasons = dict(names), made
        return self._joint_reasons[1]
