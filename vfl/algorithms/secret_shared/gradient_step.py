"""One party's part of a step; both parties do the same, each with its own columns and its own key.

In a step each party gets a secret share of the linear predictor of every row, sends the harmonics of its
share under its own key, and sums the other's harmonics weighted by its own columns and harmonics: shares of
the gradient. All that a party decrypts is masked by the other.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vfl.algorithms.secret_shared.ciphers import (
    VALUE_OFFSET,
    Ciphers,
    MaskedSums,
    SumShares,
    sum_slots,
    to_wire,
)
from vfl.algorithms.secret_shared.fourier import (
    LARGEST_TERM,
    PARTNER,
    SHARE_BITS,
    TERM_BITS,
    TERMS,
    harmonics,
    whole_terms,
)
from vfl.algorithms.secret_shared.gradient_descent import GRADIENT_BITS, UNIT, Plan, Weights
from vfl.algorithms.secret_shared.slots import Slots, low_words, number
from vfl.algorithms.secret_shared.weighted_sums import scalar_products
from vfl.algorithms.secret_shared.whitening import Basis, bits_of
from vfl.arrays import Float64
from vfl.crypto.kernel import from_ints

Words = npt.NDArray[np.uint64]

WEIGHT_BITS = ((slice(0, 2), 14), (slice(2, TERMS), 11))
"""Bits, sign included, of a coordinate times a harmonic as a whole number, by cosine and sine. The first
harmonic's amplitude is several times that of all others, and so is what its rounding adds to a gradient."""

MOST_WEIGHT_BITS = 14


class GradientStep:
    """One party's part of all steps.

    Args:
        ciphers: its own.
        basis: of its own columns.
        own, other: where its coordinates and the other party's stand among all.
        plan: of all steps.
        start: one share for each coefficient.
        constant: shares of the gradient's part that does not change.
        phases: added to the harmonics; those of the series at one party, none at the other.

    Attributes:
        weights: its shares of all coefficients.
    """

    def __init__(
        self,
        ciphers: Ciphers,
        basis: Basis,
        own: slice,
        other: slice,
        plan: Plan,
        start: list[int],
        constant: list[int],
        phases: Float64,
    ) -> None:
        self._ciphers, self._basis, self._own, self._other = ciphers, basis, own, other
        self.weights = Weights(plan, start)
        self._constant, self._whole, self._phases, self._plan = constant, basis.whole, phases, plan
        peer = ciphers.peer
        self._sent_slots = _predictor_slots(basis.bits, basis.width, peer.key.bits)
        self.predictor_slots = _predictor_slots(bits_of(peer.exponent), peer.width, ciphers.key.bits)

    def encrypted_weights(self) -> bytes:
        """Return this party's shares of the other's coefficients, under its own key."""
        return to_wire(self._ciphers.encrypt(from_ints(_modulo(self.weights.now[self._other]), 1)))

    def predictors(self, encrypted_weights: bytes) -> tuple[bytes, Words]:
        """Return the other's shares of this party's coefficients times its rows, masked, and the masks."""
        d, n = self._basis.width, self._ciphers.rows
        residues = self._ciphers.residues(encrypted_weights, d)
        bits, slots = self._basis.bits, self._sent_slots
        packed = scalar_products(
            self._ciphers.peer.key.modulus,
            residues,
            self._whole + (1 << (bits - 1)),
            bits,
            slots.per_plaintext,
            slots.layout.width,
        )
        masks = slots.masks(len(packed))
        return self._ciphers.cover(packed, slots, masks), low_words(masks).ravel()[:n].copy()

    def harmonic_sums(self, masks: Words, masked: bytes) -> HarmonicSums:
        """Complete this party's share of every row's linear predictor, and return its harmonics.

        Args:
            masks: uint64 [n], those of `predictors`.
            masked: the other's masked predictors.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the other party was to send.
        """
        n, slots = self._ciphers.rows, self.predictor_slots
        opened = low_words(self._ciphers.opened(masked, -(-n // slots.per_plaintext), slots)).ravel()[:n]
        offset = (1 << (bits_of(self._ciphers.peer.exponent) - 1)) * sum(
            _modulo(self.weights.now[self._other])
        )
        own = np.array(_modulo(self.weights.now[self._own]), dtype=np.uint64)
        share = self._whole.astype(np.uint64) @ own  # modulo 2^64, as is all that follows
        values = harmonics(share - masks + opened - np.uint64(offset % 2**64), self._phases)
        return HarmonicSums(self._ciphers, self._basis, values)

    def step(self, sums: HarmonicSums, shares: list[SumShares], masked: bytes) -> None:
        """Take the step.

        Args:
            sums: of the step.
            shares: this party's, from `HarmonicSums.masked`.
            masked: the other's masked sums.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the other party was to send.
        """
        peer, gradient = self._ciphers.peer, self._constant.copy()
        opened = self._ciphers.opened(masked, peer.width * TERMS, sums.slots)
        first, encrypted = 0, sums.encrypted_totals
        for part, (which, bits) in zip(shares, WEIGHT_BITS, strict=True):
            terms = range(*which.indices(TERMS))
            for place, term in enumerate(terms):
                factor = self._factor(term, self._basis.exponent, bits)
                for j in range(self._basis.width):
                    share = part.share(j * len(terms) + place, term)
                    gradient[self._own.start + j] += factor * share
                factor, added = self._factor(term, peer.exponent, bits), encrypted[term] << (bits - 1)
                for j in range(peer.width):
                    share = number(opened[first + j * len(terms) + place, term]) - added
                    gradient[self._other.start + j] += factor * share
            first += peer.width * len(terms)
        self.weights.step(gradient)

    def _factor(self, term: int, exponent: int, bits: int) -> int:
        """What a unit of a term's sum is worth in a gradient, in units of ``2^-GRADIENT_BITS``."""
        amplitude = float(self._plan.amplitudes[term // 2])
        return round(math.ldexp(amplitude, exponent + GRADIENT_BITS) / (_largest(bits) * LARGEST_TERM))

    def coefficients(self, now: list[int], before: list[int]) -> tuple[Float64, float]:
        """Return own coefficients, with the other's shares of them, and how far the last step moved one at
        most."""
        after, start = (
            np.array([UNIT * (a + b) for a, b in zip(own[self._own], theirs, strict=True)])
            for own, theirs in ((self.weights.now, now), (self.weights.before, before))
        )
        transform = self._basis.transform
        return transform @ after, float(np.abs(transform @ (after - start)).max())


class HarmonicSums:
    """One step's harmonics of a party's shares, and its sums of the other's.

    Args:
        ciphers: its own.
        basis: of its own columns.
        values: float64 [n, TERMS], cosines and sines of its shares.

    Attributes:
        slots: of the plaintexts that it encrypts.
    """

    def __init__(self, ciphers: Ciphers, basis: Basis, values: Float64) -> None:
        self._ciphers, self._basis, self._values = ciphers, basis, values
        self._whole = whole_terms(values)
        self.slots = sum_slots(ciphers.rows, TERM_BITS, MOST_WEIGHT_BITS, ciphers.key.bits)
        peer_slots = sum_slots(ciphers.rows, TERM_BITS, MOST_WEIGHT_BITS, ciphers.peer.key.bits)
        self._sums = [
            MaskedSums(ciphers, peer_slots, bits, basis.width * len(range(*which.indices(TERMS))))
            for which, bits in WEIGHT_BITS
        ]

    @property
    def encrypted_totals(self) -> list[int]:
        """Sums over rows of what was encrypted in each slot, less its offset."""
        return [int(total) for total in self._whole.sum(axis=0)]

    def encrypted(self, rows: slice) -> bytes:
        """Return the harmonics of rows, a row in one ciphertext."""
        return to_wire(self._ciphers.encrypt(self.slots.pack(self._whole[rows] + VALUE_OFFSET)))

    def add(self, encrypted: bytes, rows: slice) -> None:
        """Add the other's harmonics of rows; raises as `Ciphers.residues` does."""
        columns, own = self._basis.columns[rows], self._values[rows][:, PARTNER]
        residues = self._ciphers.residues(encrypted, len(columns))
        for sums, (which, bits) in zip(self._sums, WEIGHT_BITS, strict=True):
            scaled = own[:, None, which] * (_largest(bits) / 2.0**self._basis.exponent)
            products = np.rint(columns[:, :, None] * scaled)
            sums.add(residues, products.astype(np.int64).reshape(len(columns), -1))

    def masked(self) -> tuple[bytes, list[SumShares]]:
        """Return the sums over all rows, for each own coordinate and each term one ciphertext, and shares."""
        masked = [sums.masked() for sums in self._sums]
        return b"".join(data for data, _ in masked), [shares for _, shares in masked]


def _predictor_slots(bits: int, width: int, key_bits: int) -> Slots:
    """Return slots of scalar products of rows of so many bits with shares of coefficients."""
    return Slots(bits + SHARE_BITS + width.bit_length(), key_bits)


def _modulo(shares: list[int]) -> list[int]:
    return [share % 2**SHARE_BITS for share in shares]


def _largest(weight_bits: int) -> int:
    return (1 << (weight_bits - 1)) - 1
