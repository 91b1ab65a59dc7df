"""One party's part of a step; both parties do the same, each with its own columns and its own key.

In a step each party gets a share of the linear predictor of every row, sends the waves of its share under
its own key, and sums the other's waves weighted by its own columns and waves: shares of the gradient. All
that a party decrypts is masked by the other.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vfl.algorithms.secret_shared.ciphers import VALUE_OFFSET, Ciphers, MaskedSums, sum_slots
from vfl.algorithms.secret_shared.fourier import (
    LARGEST_WAVE,
    PARTNER,
    SHARE_BITS,
    WAVE_BITS,
    WAVES,
    waves,
    whole_waves,
)
from vfl.algorithms.secret_shared.gradient_descent import GRADIENT_BITS, UNIT, Plan, Weights
from vfl.algorithms.secret_shared.slots import Slots, low_words, number
from vfl.algorithms.secret_shared.weighted_sums import scalar_products
from vfl.algorithms.secret_shared.whitening import Basis, bits_of
from vfl.arrays import Float64
from vfl.crypto.kernel import from_ints

Words = npt.NDArray[np.uint64]

WEIGHT_BITS = ((slice(0, 2), 14), (slice(2, WAVES), 11))
"""Bits, sign included, of a coordinate times a wave as a whole number, by wave. The first wave's amplitude is
several times that of all others, and so is what its rounding adds to a gradient."""

MOST_WEIGHT_BITS = 14


class GradientStep:
    """One party's part of all steps.

    Args:
        basis: of its own columns.
        own, other: where its coordinates and the other party's stand among all.
        constant: shares of the gradient's part that does not change.
        phases: added to the waves; those of the series at one party, none at the other.
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
        peer, rows = ciphers.peer, ciphers.rows
        self._given = _predictor_slots(basis.bits, basis.width, peer.key.bits)
        self._got = _predictor_slots(bits_of(peer.exponent), peer.width, ciphers.key.bits)
        self._wave_slots = sum_slots(rows, WAVE_BITS, MOST_WEIGHT_BITS, ciphers.key.bits)
        self._peer_slots = sum_slots(rows, WAVE_BITS, MOST_WEIGHT_BITS, peer.key.bits)

    def encrypted_weights(self) -> bytes:
        """This party's shares of the other's coefficients, under its own key."""
        return self._ciphers.encrypt(from_ints(_modulo(self.weights.now[self._other]), 1))

    def predictors(self, encrypted_weights: bytes) -> bytes:
        """The other's shares of this party's coefficients times its rows, masked; masks are kept."""
        d, n = self._basis.width, self._ciphers.rows
        residues = self._ciphers.residues(encrypted_weights, d)
        bits, slots = self._basis.bits, self._given
        packed = scalar_products(
            self._ciphers.peer.key.modulus,
            residues,
            self._whole + (1 << (bits - 1)),
            bits,
            slots.per_plaintext,
            slots.bits,
        )
        masks = slots.masks(len(packed))
        self._kept = low_words(masks).ravel()[:n]
        return self._ciphers.cover(packed, masks)

    def take_predictors(self, masked: bytes) -> None:
        """Put this party's share of every row's linear predictor together, and make waves of it."""
        n, slots = self._ciphers.rows, self._got
        told = low_words(self._ciphers.opened(masked, -(-n // slots.per_plaintext), slots)).ravel()[:n]
        offset = (1 << (bits_of(self._ciphers.peer.exponent) - 1)) * sum(
            _modulo(self.weights.now[self._other])
        )
        own = np.array(_modulo(self.weights.now[self._own]), dtype=np.uint64)
        share = self._whole.astype(np.uint64) @ own  # modulo 2^64, as is all that follows
        self._waves = waves(share - self._kept + told - np.uint64(offset % 2**64), self._phases)
        self._whole_waves = whole_waves(self._waves)
        self._sums = [MaskedSums(self._ciphers, self._peer_slots, bits) for _, bits in WEIGHT_BITS]

    def encrypted_waves(self, rows: slice) -> bytes:
        """Waves of rows, a row in one ciphertext."""
        return self._ciphers.encrypt(self._wave_slots.pack(self._whole_waves[rows] + VALUE_OFFSET))

    def take_waves(self, encrypted: bytes, rows: slice) -> None:
        """Add the other's waves of rows to this party's sums."""
        columns, own_waves = self._basis.columns[rows], self._waves[rows][:, PARTNER]
        residues = self._ciphers.residues(encrypted, len(columns))
        for sums, (which, bits) in zip(self._sums, WEIGHT_BITS, strict=True):
            scaled = own_waves[:, None, which] * (_largest(bits) / 2.0**self._basis.exponent)
            products = np.rint(columns[:, :, None] * scaled)
            sums.add(residues, products.astype(np.int64).reshape(len(columns), -1))

    def masked_sums(self) -> bytes:
        """The sums over all rows: for each own coordinate and each wave one ciphertext."""
        return b"".join(sums.masked() for sums in self._sums)

    def step(self, masked: bytes) -> None:
        """Take the other's masked sums, and a step."""
        peer, gradient = self._ciphers.peer, self._constant.copy()
        opened = self._ciphers.opened(masked, peer.width * WAVES, self._wave_slots)
        first, encrypted = 0, [int(total) for total in self._whole_waves.sum(axis=0)]
        for sums, (which, bits) in zip(self._sums, WEIGHT_BITS, strict=True):
            numbers = range(*which.indices(WAVES))
            for at, wave in enumerate(numbers):
                factor = self._factor(wave, self._basis.exponent, bits)
                for j in range(self._basis.width):
                    share = sums.share(j * len(numbers) + at, wave)
                    gradient[self._own.start + j] += factor * share
                factor, added = self._factor(wave, peer.exponent, bits), encrypted[wave] << (bits - 1)
                for j in range(peer.width):
                    share = number(opened[first + j * len(numbers) + at, wave]) - added
                    gradient[self._other.start + j] += factor * share
            first += peer.width * len(numbers)
        self.weights.step(gradient)

    def _factor(self, wave: int, exponent: int, bits: int) -> int:
        """What a unit of a wave's sum is worth in a gradient, in units of ``2^-GRADIENT_BITS``."""
        amplitude = float(self._plan.amplitudes[wave // 2])
        return round(math.ldexp(amplitude, exponent + GRADIENT_BITS) / (_largest(bits) * LARGEST_WAVE))

    def coefficients(self, now: list[int], before: list[int]) -> tuple[Float64, float]:
        """Own coefficients with the other's shares of them, and how far the last step moved one at most."""
        after, start = (
            np.array([UNIT * (a + b) for a, b in zip(mine[self._own], theirs, strict=True)])
            for mine, theirs in ((self.weights.now, now), (self.weights.before, before))
        )
        transform = self._basis.transform
        return transform @ after, float(np.abs(transform @ (after - start)).max())


def _predictor_slots(bits: int, width: int, key_bits: int) -> Slots:
    """Slots of scalar products of rows of so many bits with shares of coefficients."""
    return Slots(bits + SHARE_BITS + width.bit_length(), key_bits)


def _modulo(shares: list[int]) -> list[int]:
    return [share % 2**SHARE_BITS for share in shares]


def _largest(weight_bits: int) -> int:
    return (1 << (weight_bits - 1)) - 1
