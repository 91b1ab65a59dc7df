"""One party's part of a step; both parties do the same, each with its own columns and its own key.

In a step each party gets a share of the linear predictor of every row, sends the waves of its share under
its own key, and sums the other's waves weighted by its own columns and waves: shares of the gradient. All
that a party decrypts is masked by the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.crypto.kernel import Limbs, from_ints
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile, PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage, OutOfRange
from vfl.linear.shared.basis import FRACTION_BITS, Basis, bits_of
from vfl.linear.shared.slots import Bytes, Slots, cover, low_words, number
from vfl.linear.shared.steps import GRADIENT_BITS, UNIT, Plan, Weights
from vfl.linear.shared.sums import scalar_products, weighted_sums
from vfl.linear.shared.waves import AMPLITUDES, LARGEST_WAVE, PARTNER, SHARE_BITS, WAVE_BITS, WAVES, waves, whole_waves

Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

WEIGHT_BITS = 11
"""Of a coordinate times a wave as a whole number, sign included: one digit of `weighted_sums`."""

LARGEST_WEIGHT = 2 ** (WEIGHT_BITS - 1) - 1

VALUE_OFFSET = 2 ** (WAVE_BITS - 1)
"""Added to what a party encrypts for each row, so that it is never negative."""


@dataclass(frozen=True)
class Peer:
    """The other party as far as this one knows it: its key, and the size of its coordinates."""

    key: PublicKey
    width: int
    exponent: int


class Ciphers:
    """This party's key at work, and the other's.

    Args:
        rows: of the job.
    """

    def __init__(self, private_key: PrivateKey, profile: Profile, peer: Peer, rows: int) -> None:
        self.key, self.peer, self.rows = private_key.public_key, peer, rows
        self._encryptor, self._decryptor = Encryptor(private_key, profile), Decryptor(private_key)
        self._rerandomizer = Rerandomizer(peer.key)

    def encrypt(self, plain: Limbs) -> bytes:
        return self._encryptor.encrypt(plain).astype("<u8", copy=False).tobytes()

    def cover(self, residues: Limbs, masks: Bytes) -> bytes:
        """The other party's ciphertexts, masked and as good as new."""
        return cover(self.peer.key, self._rerandomizer, residues, masks)

    def residues(self, ciphertexts: bytes, count: int) -> Limbs:
        """Ciphertexts of the other party's key; raises MalformedMessage or BadCiphertext."""
        return check_ciphertexts(self.peer.key, _rows(ciphertexts, count, self.peer.key.limbs))

    def opened(self, ciphertexts: bytes, count: int, slots: Slots) -> Bytes:
        """Slots [count, slots, width] of ciphertexts of this party's key.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the other party was to send.
        """
        data = _rows(ciphertexts, count, self.key.limbs)
        if count:
            check_ciphertexts(self.key, data)
        return slots.unpack(self._decryptor.decrypt(data))


class MaskedSums:
    """Sums of the other party's rows by columns of weights, and this party's shares of them.

    A share of slot s is what `share` says; the other party's is what it decrypts, less the weights' offset
    times the sum of the numbers that it encrypted there.

    Args:
        value_bits: of a number of a row, offset included; weight_bits: of a weight, sign included.
    """

    def __init__(self, ciphers: Ciphers, value_bits: int, weight_bits: int) -> None:
        self._ciphers, self._bits = ciphers, weight_bits
        self._slots = sum_slots(ciphers.rows, value_bits, weight_bits, ciphers.peer.key.bits)
        self._sums: Limbs | None = None
        self._weights: Integers | None = None

    def add(self, residues: Limbs, weights: Integers) -> None:
        """Take residues [n, limbs] of rows and their weights int64 [n, columns], signed."""
        shifted = weights + (1 << (self._bits - 1))
        modulus, total = self._ciphers.peer.key.modulus, shifted.sum(axis=0)
        sums = weighted_sums(modulus, residues, shifted, self._bits)
        if self._sums is None or self._weights is None:
            self._sums, self._weights = sums, total
        else:
            self._sums, self._weights = modulus.multiply(self._sums, sums), self._weights + total

    def masked(self) -> bytes:
        """The ciphertexts of the sums, each slot masked."""
        if self._sums is None:
            raise ValueError("no row has been added")
        self._masks = self._slots.masks(len(self._sums))
        return self._ciphers.cover(self._sums, self._masks)

    def share(self, column: int, slot: int) -> int:
        """This party's share of a slot of a column's sum."""
        if self._weights is None:
            raise ValueError("no row has been added")
        return -number(self._masks[column, slot]) - VALUE_OFFSET * int(self._weights[column])


def sum_slots(rows: int, value_bits: int, weight_bits: int, key_bits: int) -> Slots:
    """Slots of plaintexts whose rows are weighted and added up."""
    return Slots(value_bits + weight_bits + rows.bit_length(), key_bits)


class Side:
    """One party's part of all steps.

    Args:
        basis: of its own columns.
        own, other: where its coordinates and the other party's stand among all.
        constant: shares of the gradient's part that does not change.
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
    ) -> None:
        self._ciphers, self._basis, self._own, self._other = ciphers, basis, own, other
        self.weights = Weights(plan, start)
        self._constant, self._whole = constant, basis.whole
        peer, rows = ciphers.peer, ciphers.rows
        self._given = _predictor_slots(basis.bits, basis.columns.shape[1], peer.key.bits)
        self._got = _predictor_slots(bits_of(peer.exponent), peer.width, ciphers.key.bits)
        self._wave_slots = sum_slots(rows, WAVE_BITS, WEIGHT_BITS, ciphers.key.bits)

    def encrypted_weights(self) -> bytes:
        """This party's shares of the other's coefficients, under its own key."""
        return self._ciphers.encrypt(from_ints(_modulo(self.weights.now[self._other]), 1))

    def predictors(self, encrypted_weights: bytes) -> bytes:
        """The other's shares of this party's coefficients times its rows, masked; masks are kept."""
        d, n = self._basis.columns.shape[1], self._ciphers.rows
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
        offset = (1 << (bits_of(self._ciphers.peer.exponent) - 1)) * sum(_modulo(self.weights.now[self._other]))
        own = np.array(_modulo(self.weights.now[self._own]), dtype=np.uint64)
        share = self._whole.astype(np.uint64) @ own  # modulo 2^64, as is all that follows
        self._waves = waves(share - self._kept + told - np.uint64(offset % 2**64))
        self._whole_waves = whole_waves(self._waves)
        self._sums = MaskedSums(self._ciphers, WAVE_BITS, WEIGHT_BITS)

    def encrypted_waves(self, rows: slice) -> bytes:
        """Waves of rows, a row in one ciphertext."""
        return self._ciphers.encrypt(self._wave_slots.pack(self._whole_waves[rows] + VALUE_OFFSET))

    def take_waves(self, encrypted: bytes, rows: slice) -> None:
        """Add the other's waves of rows to this party's sums."""
        columns, own_waves = self._basis.columns[rows], self._waves[rows][:, PARTNER]
        residues = self._ciphers.residues(encrypted, len(columns))
        unit = 2.0**self._basis.exponent / LARGEST_WEIGHT
        products = columns[:, :, None] * own_waves[:, None, :] / unit
        self._sums.add(residues, np.rint(products).astype(np.int64).reshape(len(columns), -1))

    def masked_sums(self) -> bytes:
        """The sums over all rows: for each own coordinate and each wave one ciphertext."""
        return self._sums.masked()

    def step(self, masked: bytes) -> None:
        """Take the other's masked sums, and a step."""
        peer, d = self._ciphers.peer, self._basis.columns.shape[1]
        opened = self._ciphers.opened(masked, peer.width * WAVES, self._wave_slots)
        added = (1 << (WEIGHT_BITS - 1)) * self._whole_waves.sum(axis=0)
        gradient = self._constant.copy()
        mine, theirs = _factors(self._basis.exponent), _factors(peer.exponent)
        for j in range(d):
            shares = (self._sums.share(j * WAVES + wave, wave) for wave in range(WAVES))
            gradient[self._own.start + j] += sum(a * s for a, s in zip(mine, shares, strict=True))
        for j in range(peer.width):
            shares = (number(opened[j * WAVES + wave, wave]) - int(added[wave]) for wave in range(WAVES))
            gradient[self._other.start + j] += sum(a * s for a, s in zip(theirs, shares, strict=True))
        self.weights.step(gradient)

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


def _factors(exponent: int) -> list[int]:
    """What a unit of each wave's sum is worth in a gradient, in units of ``2^-GRADIENT_BITS``."""
    unit = 2.0 ** (exponent + GRADIENT_BITS) / (LARGEST_WEIGHT * LARGEST_WAVE)
    return [round(amplitude * unit) for amplitude in np.repeat(AMPLITUDES, 2).tolist()]


def _rows(data: bytes, count: int, limbs: int) -> Limbs:
    if len(data) != 8 * limbs * count:
        raise MalformedMessage(f"{count} ciphertexts of {8 * limbs} bytes were due")
    return np.frombuffer(data, dtype="<u8").reshape(count, limbs)
