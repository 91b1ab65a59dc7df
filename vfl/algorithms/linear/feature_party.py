"""The feature party's side of linear models: masked sums on ciphertexts, and directions from them.

A worker answers the messages of one job. What it needs from disk comes through a `vfl.linear_model.evidence.BinningStore`.
Ciphertexts are summed as they come and not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from vfl.aggregation.journal import AttemptRecord, Journal, terms_digest
from vfl.aggregation.store import open_rows
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.directions import Directions
from vfl.algorithms.linear.masks import Masks
from vfl.algorithms.linear.slots import Slots
from vfl.algorithms.linear.weighted_sums import WeightedSums
from vfl.algorithms.linear.whole_numbers import whole_columns, whole_products
from vfl.arrays import Float64, Floats, Integers, Limbs
from vfl.crypto.paillier import PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence, ParameterError
from vfl.linear_model.evidence import BinningStore, woe_columns
from vfl.linear_model.parts import LinearFeaturePart, LinearTerms
from vfl.linear_model.scaling import Scaling
from vfl.trace import span
from vfl.wire.message import Message


class Direction(Struct, frozen=True, tag="direction", forbid_unknown_fields=True):
    """An entry of the draft: a direction that is offered, by its coefficients."""

    coefficients: list[float]


class LinearWorker:
    """Answers one training job of a linear model.

    Args:
        store: this party's alignments, columns and shares.
        show_columns: whether the label party learns the names of this party's columns.
        directions: how many directions the label party is offered at most. As many as there are columns
            span all of them; None allows one fewer.
    """

    def __init__(
        self, store: BinningStore, *, show_columns: bool = False, directions: int | None = None
    ) -> None:
        self._store, self._show_columns, self._cap = store, show_columns, directions
        self._handlers: dict[type[Message], Callable[[Any], Message]] = {
            m.OpenLinear: self._open,
            m.OpenRound: self._open_round,
            m.Curvatures: self._take_curvatures,
            m.Residuals: self._take_residuals,
            m.AskMaskedSums: self._masked_sums,
            m.GiveUnmasked: self._offer,
            m.CloseLinear: self._close,
        }

    def handle(self, request: Message) -> Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        return self._handlers[type(request)](request)

    def _open(self, request: m.OpenLinear) -> m.LinearOpened:
        names, columns = self._coded(request)
        cap = len(names) - 1 if self._cap is None else self._cap
        if cap < 1:
            raise NotAllowed("this party offers no direction: it has too few columns to hide any")
        if request.rows < len(columns):
            raise OutOfRange("the job has fewer rows than are aligned")
        try:
            self._slots = Slots(request.rows)
        except ParameterError as error:
            raise OutOfRange(str(error)) from None
        self._key = PublicKey.from_bytes(request.public_key)
        self._rerandomizer = Rerandomizer(self._key)
        self._model, self._names, self._rounds = request.model, names, request.rounds
        self._scaling = (
            Scaling.fit(columns, standardise=request.standardise)
            if self._binning is None
            else Scaling.none(len(names))
        )
        scaled = self._scaling.apply(columns)
        self._mean = None if self._binning is None else scaled.mean(axis=0)
        if request.rows > len(columns):
            scaled = np.vstack([scaled, self._scaling.unknown()])
        self._prepare(scaled, request, cap)
        shown = names if self._show_columns else [""] * len(names)
        return m.LinearOpened(shown, cap)

    def _coded(self, request: m.OpenLinear) -> tuple[list[str], Floats]:
        """Names and values of the columns that take part."""
        names, columns = open_rows(self._store, request.alignment, request.fingerprint)
        self._binning = None if request.binning is None else self._store.load_binning(request.binning)
        if self._binning is None:
            return names, columns
        if names != self._binning.columns:
            raise NotAligned("the columns of this party are not those that were binned: bin again")
        return self._binning.names, woe_columns(self._binning, columns)

    def _prepare(self, scaled: Float64, request: m.OpenLinear, cap: int) -> None:
        terms = msgspec.structs.replace(request, public_key=b"-")
        self._draft = Journal(
            self._store, request.model, terms_digest(terms, scaled), AttemptRecord | Direction
        )
        before = [of.coefficients for of in self._draft.entries if isinstance(of, Direction)]
        whole, self._units = whole_columns(scaled)
        self._directions = Directions(
            whole * self._units,
            l2=request.l2,
            l1=request.l1,
            tol=request.tol,
            most=cap,
            before=[np.array(coefficients) for coefficients in before],
        )
        self._kept = len(before)
        units: list[float] = []

        def products() -> Iterator[Integers]:
            for product, unit in whole_products(self._directions.components):
                units.append(unit)
                yield product

        with span("plan"):
            self._residual_sums = WeightedSums(self._key, whole.T)
            self._curvature_sums = WeightedSums(self._key, products(), shared=False)
        self._product_units = np.array(units)
        self._rows = len(whole)
        self._curved = False

    def _open_round(self, request: m.OpenRound) -> m.RoundOpened:
        if not self._rounds:
            raise NotAllowed("the job has had all its rounds")
        if not (request.curvatures or self._curved):
            raise OutOfSequence("the first round brings curvatures")
        if request.slots > self._slots.per_plaintext(self._key.bits):
            raise OutOfRange(f"{request.slots} slots do not fit a plaintext of this key")
        self._combine(request.coefficients)
        self._rounds -= 1
        self._round = request
        self._taken = {"curvatures": 0 if request.curvatures else self._rows, "residuals": 0}
        return m.RoundOpened(self._rows)

    def _take_curvatures(self, request: m.Curvatures) -> m.CurvaturesTaken:
        return m.CurvaturesTaken(self._take("curvatures", request, self._curvature_sums))

    def _take_residuals(self, request: m.Residuals) -> m.ResidualsTaken:
        return m.ResidualsTaken(self._take("residuals", request, self._residual_sums))

    def _take(self, kind: str, request: m.Curvatures | m.Residuals, sums: WeightedSums) -> int:
        width, taken = 8 * self._key.limbs, self._taken[kind]
        if not request.ciphertexts or len(request.ciphertexts) % width:
            raise MalformedMessage(f"ciphertexts must be whole numbers of {width} bytes")
        ciphertexts = np.frombuffer(request.ciphertexts, dtype="<u8").reshape(-1, self._key.limbs)
        end = taken + len(ciphertexts)
        if request.offset != taken or end > self._rows:
            raise OutOfRange(f"ciphertext {taken} of {self._rows} {kind} was due")
        with span("check ciphertexts"):
            residues = check_ciphertexts(self._key, ciphertexts)
        with span(f"sum {kind}"):
            sums.add(residues, taken)
        self._taken[kind] = end
        return end

    def _masked_sums(self, request: m.AskMaskedSums) -> m.MaskedSums:
        for kind, taken in self._taken.items():
            if taken != self._rows:
                raise OutOfSequence(f"{taken} of {self._rows} {kind} have come")
        with span("sum columns"):
            gradients = self._residual_sums.take()
        curvatures = gradients[:0]
        if self._round.curvatures:
            with span("sum products"):
                sums = self._curvature_sums.take()
                per_plaintext = self._slots.per_plaintext(self._key.bits)
                curvatures = self._key.modulus.pack(sums, per_plaintext, self._slots.width)
        with span("mask"):
            self._gradient_masks = Masks(self._key, len(gradients))
            self._curvature_masks = Masks(self._key, len(curvatures))
            return m.MaskedSums(
                self._masked(gradients, self._gradient_masks), self._masked(curvatures, self._curvature_masks)
            )

    def _masked(self, residues: Limbs, masks: Masks) -> bytes:
        fresh = self._rerandomizer.rerandomize(masks.put_on(residues))
        return self._key.modulus.from_residues(fresh).astype("<u8", copy=False).tobytes()

    def _offer(self, request: m.GiveUnmasked) -> m.DirectionOffered:
        with span("direction"):
            gradients = self._gradient_masks.take_off(request.gradients)
            at = self._round
            sums = np.array([self._slots.unpack(g, at.slots) for g in gradients], dtype=np.float64)
            if at.curvatures:
                block = np.ldexp(sums[:, 1:] * self._units[:, None], -at.block_exponent)
                self._directions.curve(self._products(request.curvatures), block)
                self._curved = True
            elif request.curvatures:
                raise MalformedMessage("curvatures came in a round without them")
            step = self._directions.step(np.ldexp(sums[:, 0] * self._units, -at.residual_exponent))
            change = float(np.abs(step).max())
            if not change < 1e30:
                raise OutOfRange("the sums are no gradient: the coefficients would have no bounds")
            offered = self._directions.offer(step)
        self._draft.tell()
        self._keep_new()
        if offered is None:
            return m.DirectionOffered(change, b"", [], [], False, [], [])
        new = offered.values
        return m.DirectionOffered(
            change,
            b"" if new is None else new.astype("<f4", copy=False).tobytes(),
            offered.base.tolist(),
            offered.mixing.ravel().tolist(),
            offered.bounded,
            offered.square.ravel().tolist(),
            offered.linear.tolist(),
        )

    def _keep_new(self) -> None:
        """Write down a direction that was never offered before, before it leaves."""
        for direction in self._directions.offered_after(self._kept):
            self._draft.keep(Direction(direction.tolist()))
            self._kept += 1

    def _products(self, masked: bytes) -> Float64:
        left, per_plaintext = len(self._product_units), self._slots.per_plaintext(self._key.bits)
        sums: list[int] = []
        for plaintext in self._curvature_masks.take_off(masked):
            sums += self._slots.unpack(plaintext, min(per_plaintext, left - len(sums)))
        products = np.array(sums, dtype=np.float64) * self._product_units
        return np.asarray(np.ldexp(products, -self._round.curvature_exponent))

    def _combine(self, coefficients: list[float]) -> None:
        offered = self._directions.offered
        if len(coefficients) != offered:
            raise OutOfRange(f"{offered} directions are to be combined, not {len(coefficients)}")
        self._directions.combine(np.array(coefficients, dtype=np.float64))

    def _close(self, request: m.CloseLinear) -> m.LinearClosed:
        self._combine(request.coefficients)
        terms = LinearTerms.of(self._names, self._scaling, self._directions.w, self._mean)
        self._store.save_part(self._model, LinearFeaturePart(terms=terms, binning=self._binning))
        return m.LinearClosed(self._directions.offered, terms.base, terms.unknown())
