"""What a feature party computes with from the opening of a linear model's training to its end."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec import Struct

from vfl.aggregation.journal import AttemptRecord, Journal, terms_digest
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.directions import Directions, Offer
from vfl.algorithms.linear.masks import Masks
from vfl.algorithms.linear.slots import Slots
from vfl.algorithms.linear.weighted_sums import WeightedSums
from vfl.algorithms.linear.whole_numbers import whole_columns, whole_products
from vfl.arrays import Float64, Integers, Limbs
from vfl.crypto.paillier import PublicKey
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import OutOfRange
from vfl.linear_model.columns import TrainingColumns
from vfl.linear_model.evidence import BinningStore
from vfl.trace import span


class Direction(Struct, frozen=True, tag="direction", forbid_unknown_fields=True):
    """A journal entry: an offered direction, by its coefficients."""

    coefficients: list[float]


class FeatureTraining:
    """One training at a feature party: its columns as weights of encrypted sums, and its directions.

    Args:
        store: this party's.
        request: that opened the job.
        columns: that take part.
        key: the label party's.
        slots: of the job.
        most: directions that are offered at most.

    Attributes:
        key, slots: as given.
        rows: ciphertexts of a pass: of aligned customers, and one of all others, if any.

    Raises:
        NotAligned, NotAllowed, StateError: from the journal.
    """

    def __init__(
        self,
        store: BinningStore,
        request: m.OpenLinear,
        columns: TrainingColumns,
        key: PublicKey,
        slots: Slots,
        most: int,
    ) -> None:
        self._store, self._model, self._columns = store, request.model, columns
        self.key, self.slots = key, slots
        self._rerandomizer = Rerandomizer(key)
        rows = columns.with_strangers(int(request.rows > len(columns.scaled)))
        self.rows = len(rows)
        terms = terms_digest(msgspec.structs.replace(request, public_key=b"-"), rows)
        self._journal = Journal(store, request.model, terms, AttemptRecord | Direction)
        earlier = [
            np.array(entry.coefficients) for entry in self._journal.entries if isinstance(entry, Direction)
        ]
        self._recorded = len(earlier)
        whole, self._units = whole_columns(rows)
        self._directions = Directions(
            whole * self._units, l2=request.l2, l1=request.l1, tol=request.tol, most=most, before=earlier
        )
        units: list[float] = []

        def products() -> Iterator[Integers]:
            for product, unit in whole_products(self._directions.components):
                units.append(unit)
                yield product

        with span("plan"):
            self._residual_sums = WeightedSums(key, whole.T)
            self._curvature_sums = WeightedSums(key, products(), shared=False)
        self._product_units = np.array(units)

    @property
    def per_plaintext(self) -> int:
        """Slots of one plaintext."""
        return self.slots.per_plaintext(self.key.bits)

    def add_residuals(self, first: int, residues: Limbs) -> None:
        """Add residual ciphertexts of rows from ``first`` on."""
        with span("sum residuals"):
            self._residual_sums.add(residues, first)

    def add_curvatures(self, first: int, residues: Limbs) -> None:
        """Add curvature ciphertexts of rows from ``first`` on."""
        with span("sum curvatures"):
            self._curvature_sums.add(residues, first)

    def gradient_sums(self) -> Limbs:
        """Return residues [columns, limbs] of the sums over all rows, and reset them."""
        with span("sum columns"):
            return self._residual_sums.take()

    def product_sums(self) -> Limbs:
        """Return residues of the packed sums of products of two columns, and reset them."""
        with span("sum products"):
            sums = self._curvature_sums.take()
            return self.key.modulus.pack(sums, self.per_plaintext, self.slots.layout.width)

    def masked(self, residues: Limbs, masks: Masks) -> bytes:
        """Return ciphertexts of masked sums, with fresh randomness."""
        fresh = self._rerandomizer.rerandomize(masks.put_on(residues))
        return self.key.modulus.from_residues(fresh).astype("<u8", copy=False).tobytes()

    def combine(self, coefficients: list[float]) -> None:
        """Combine the directions offered so far; raises OutOfRange for another number of coefficients."""
        offered = self._directions.offered
        if len(coefficients) != offered:
            raise OutOfRange(f"{offered} directions are to be combined, not {len(coefficients)}")
        self._directions.combine(np.array(coefficients, dtype=np.float64))

    def curve(self, opening: m.OpenRound, block_sums: Float64, plaintexts: list[int]) -> None:
        """Take new curvatures.

        Args:
            opening: of the round.
            block_sums: float64 [columns, slots], sums of the columns times the label party's.
            plaintexts: unmasked, of `product_sums`.
        """
        block = np.ldexp(block_sums * self._units[:, None], -opening.block_exponent)
        left, sums = len(self._product_units), list[int]()
        for plaintext in plaintexts:
            sums += self.slots.unpack(plaintext, min(self.per_plaintext, left - len(sums)))
        products = np.array(sums, dtype=np.float64) * self._product_units
        self._directions.curve(np.asarray(np.ldexp(products, -opening.curvature_exponent)), block)

    def offer(self, opening: m.OpenRound, sums: Float64) -> tuple[float, Offer | None]:
        """Return how far coefficients would move at most, and where, from sums [columns] with residuals.

        A direction that was never offered before is written down before it leaves.

        Raises:
            OutOfRange: the sums are no gradient.
            StateError: the journal cannot be written.
        """
        step = self._directions.step(np.ldexp(sums * self._units, -opening.residual_exponent))
        change = float(np.abs(step).max())
        if not change < 1e30:
            raise OutOfRange("the sums are no gradient: the coefficients would have no bounds")
        offer = self._directions.offer(step)
        self._journal.tell()
        for direction in self._directions.offered_after(self._recorded):
            self._journal.keep(Direction(direction.tolist()))
            self._recorded += 1
        return change, offer

    def close(self) -> m.LinearClosed:
        """Store this party's part of the model."""
        part = self._columns.part(self._directions.w)
        self._store.save_part(self._model, part)
        return m.LinearClosed(self._directions.offered, part.terms.base, part.terms.unknown())
