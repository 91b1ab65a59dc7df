"""The feature party's side of linear models, phase by phase: masked sums on ciphertexts, and directions.

Ciphertexts are summed as they come and not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.aggregation.ciphertext_stream import CiphertextReceiver
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.directions import Offer
from vfl.algorithms.linear.feature_training import FeatureTraining
from vfl.algorithms.linear.masks import Masks
from vfl.algorithms.linear.slots import Slots
from vfl.crypto.paillier import PublicKey
from vfl.errors import MalformedMessage, NotAllowed, OutOfRange, OutOfSequence, ParameterError
from vfl.linear_model.columns import TrainingColumns
from vfl.linear_model.evidence import BinningStore
from vfl.trace import span
from vfl.wire.worker import Answer, Ended, Phase, answers


class Opening(Phase):
    """Before the job is opened.

    Args:
        store: this party's alignments, columns, binnings and parts.
        show_columns: whether the label party learns the names of this party's columns.
        directions: how many directions the label party is offered at most. As many as there are columns
            span all of them; None allows one fewer.
    """

    def __init__(
        self, store: BinningStore, *, show_columns: bool = False, directions: int | None = None
    ) -> None:
        self._store, self._show_columns, self._most = store, show_columns, directions

    @answers(m.OpenLinear)
    def open(self, request: m.OpenLinear) -> Answer:
        """Load columns and plan their sums."""
        columns = TrainingColumns.load(
            self._store,
            request.alignment,
            request.fingerprint,
            request.binning,
            standardise=request.standardise,
        )
        most = len(columns.names) - 1 if self._most is None else self._most
        if most < 1:
            raise NotAllowed("this party offers no direction: it has too few columns to hide any")
        if request.rows < len(columns.scaled):
            raise OutOfRange("the job has fewer rows than are aligned")
        try:
            slots = Slots(request.rows)
        except ParameterError as error:
            raise OutOfRange(str(error)) from None
        key = PublicKey.from_bytes(request.public_key)
        training = FeatureTraining(self._store, request, columns, key, slots, most)
        opened = m.LinearOpened(columns.shown(self._show_columns), most)
        return opened, Fitting(training, rounds=request.rounds, curved=False)


@dataclass(frozen=True, eq=False)
class Fitting(Phase):
    """Between rounds.

    Attributes:
        training: opened.
        rounds: number of rounds left.
        curved: whether it has curvatures.
    """

    training: FeatureTraining
    rounds: int
    curved: bool

    @answers(m.OpenRound)
    def open(self, request: m.OpenRound) -> Answer:
        """Combine directions, and begin a round."""
        training = self.training
        if not self.rounds:
            raise NotAllowed("the job has no rounds left")
        if not (request.curvatures or self.curved):
            raise OutOfSequence("the first round brings curvatures")
        if request.slots > training.per_plaintext:
            raise OutOfRange(f"{request.slots} slots do not fit a plaintext of this key")
        training.combine(request.coefficients)
        following = Fitting(training, self.rounds - 1, self.curved or request.curvatures)
        return m.RoundOpened(training.rows), Receiving(following, request)

    @answers(m.CloseLinear)
    def close(self, request: m.CloseLinear) -> Answer:
        """Combine directions a last time, and store this party's part."""
        self.training.combine(request.coefficients)
        return self.training.close(), Ended()


class Receiving(Phase):
    """While the ciphertexts of a round come.

    Args:
        following: the phase after the round.
        opening: of the round.
    """

    def __init__(self, following: Fitting, opening: m.OpenRound) -> None:
        self._following, self._opening = following, opening
        training = following.training
        curvatures = training.rows if opening.curvatures else 0
        self._curvatures = CiphertextReceiver(training.key, curvatures, training.add_curvatures)
        self._residuals = CiphertextReceiver(training.key, training.rows, training.add_residuals)

    @answers(m.Curvatures)
    def receive_curvatures(self, request: m.Curvatures) -> Answer:
        """Add a chunk of curvatures to the sums."""
        return m.CurvaturesTaken(self._curvatures.receive(request)), self

    @answers(m.Residuals)
    def receive_residuals(self, request: m.Residuals) -> Answer:
        """Add a chunk of residuals to the sums."""
        return m.ResidualsTaken(self._residuals.receive(request)), self

    @answers(m.AskMaskedSums)
    def mask(self, request: m.AskMaskedSums) -> Answer:
        """Give the sums, masked."""
        self._curvatures.check_complete()
        self._residuals.check_complete()
        training = self._following.training
        gradients = training.gradient_sums()
        products = training.product_sums() if self._opening.curvatures else gradients[:0]
        with span("mask"):
            gradient_masks = Masks(training.key, len(gradients))
            product_masks = Masks(training.key, len(products))
            sums = m.MaskedSums(
                training.masked(gradients, gradient_masks), training.masked(products, product_masks)
            )
        return sums, Unmasking(self._following, self._opening, gradient_masks, product_masks)


@dataclass(frozen=True, eq=False)
class Unmasking(Phase):
    """Before the masked sums come back decrypted.

    Attributes:
        following: the phase after the round.
        opening: of the round.
        gradient_masks, product_masks: on the sums.
    """

    following: Fitting
    opening: m.OpenRound
    gradient_masks: Masks
    product_masks: Masks

    @answers(m.GiveUnmasked)
    def offer(self, request: m.GiveUnmasked) -> Answer:
        """Unmask the sums, and offer a direction."""
        training, opening = self.following.training, self.opening
        with span("direction"):
            gradients = self.gradient_masks.take_off(request.gradients)
            sums = np.array([training.slots.unpack(g, opening.slots) for g in gradients], dtype=np.float64)
            if opening.curvatures:
                training.curve(opening, sums[:, 1:], self.product_masks.take_off(request.curvatures))
            elif request.curvatures:
                raise MalformedMessage("curvatures came in a round without them")
            change, offer = training.offer(opening, sums[:, 0])
        return _message(change, offer), self.following


def _message(change: float, offer: Offer | None) -> m.DirectionOffered:
    if offer is None:
        return m.DirectionOffered(change, b"", [], [], False, [], [])
    return m.DirectionOffered(
        change,
        b"" if offer.values is None else offer.values.astype("<f4", copy=False).tobytes(),
        offer.base.tolist(),
        offer.mixing.ravel().tolist(),
        offer.bounded,
        offer.square.ravel().tolist(),
        offer.linear.tolist(),
    )
