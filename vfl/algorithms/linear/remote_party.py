"""A feature party as the label party sees it: sums to decrypt for it, and directions that it offers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.aggregation.ciphertext_stream import (
    ChunkTaken,
    CiphertextChunk,
    ciphertexts_in,
    send_ciphertexts,
)
from vfl.aggregation.encrypted_rows import EncryptedRows
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.problem import KnownRows, Offered
from vfl.algorithms.linear.slots import Slots
from vfl.arrays import Float64, Integers
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.errors import MalformedMessage
from vfl.trace import span
from vfl.wire.session import LabelSession

CHUNK_ROWS = 8192
"""Ciphertexts of a message: 4 MB at 2048 bits. The feature party adds up its bins once a chunk."""

CONVEX = 1e-9
"""Least eigenvalue of a penalty, of its largest, that rounding may leave."""


@dataclass(frozen=True)
class Pass:
    """Numbers of every row [n, slots] as whole numbers, and their encryptions for all feature parties."""

    values: Integers
    encrypted: EncryptedRows


@dataclass(frozen=True)
class Round:
    """What all feature parties are sent in a round.

    Attributes:
        curvatures: None where those of an earlier round still serve.
        residual_exponent, block_exponent, curvature_exponent: see `vfl.algorithms.linear.messages.OpenRound`.
    """

    residuals: Pass
    curvatures: Pass | None
    residual_exponent: int
    block_exponent: int
    curvature_exponent: int


class RemoteParty:
    """One feature party.

    Args:
        session: a new conversation.
        rows: which plaintext stands for each row there.
        encryptor, decryptor: of the job.
        slots: of the job.

    Attributes:
        columns: names, by number where the party hides them.
        change: how far its coefficients would have moved in the last round, at most.
        directions: how many it has offered.
        shown, base, unknown: as in `vfl.linear_model.parts.LinearPeer`, once the job is closed.
    """

    def __init__(
        self,
        session: LabelSession,
        rows: KnownRows,
        encryptor: Encryptor,
        decryptor: Decryptor,
        slots: Slots,
    ) -> None:
        self.rows = rows
        self.columns: list[str] = []
        self.shown: list[str] = []
        self.change = 0.0
        self.directions = 0
        self.base = self.unknown = 0.0
        self._session, self._encryptor, self._decryptor = session, encryptor, decryptor
        self._slots = slots

    def open(self, request: m.OpenLinear) -> None:
        """Open the job and learn how many columns there are."""
        self.shown = self._session.ask(request, m.LinearOpened).columns
        self.columns = [f"{self._session.peer}.{name or number}" for number, name in enumerate(self.shown)]

    def round(self, sent: Round, offered: Offered) -> bool:
        """Send a round and take what is offered; returns whether something was."""
        opening = m.OpenRound(
            coefficients=offered.coefficients.tolist(),
            curvatures=sent.curvatures is not None,
            slots=sent.residuals.values.shape[1],
            residual_exponent=sent.residual_exponent,
            block_exponent=sent.block_exponent,
            curvature_exponent=sent.curvature_exponent,
        )
        if self._session.ask(opening, m.RoundOpened).rows != len(self.rows):
            raise MalformedMessage(f"{self._session.peer} counts other rows than take part")
        if sent.curvatures is not None:
            self._send(sent.curvatures, m.Curvatures, m.CurvaturesTaken)
        self._send(sent.residuals, m.Residuals, m.ResidualsTaken)
        masked = self._session.ask(m.AskMaskedSums(), m.MaskedSums)
        columns = len(self.columns)
        products = columns * (columns + 1) // 2 if sent.curvatures else 0
        per_plaintext = self._slots.per_plaintext(self._encryptor.public_key.bits)
        decrypted = m.GiveUnmasked(
            self._decrypted(masked.gradients, columns),
            self._decrypted(masked.curvatures, -(-products // per_plaintext)),
        )
        offer = self._session.ask(decrypted, m.DirectionOffered)
        self.change = offer.change
        return bool(offer.linear) and self._take(offer, offered)

    def _send(self, sent: Pass, message: type[CiphertextChunk], reply: type[ChunkTaken]) -> None:
        others = self._encryptor.encrypt(self._slots.pack(self.rows.others(sent.values)))
        rows = self.rows.known
        send_ciphertexts(
            self._session, sent.encrypted, rows, message, reply, last=others, chunk_rows=CHUNK_ROWS
        )

    def _decrypted(self, masked: bytes, count: int) -> bytes:
        """What the feature party's masked sums decrypt to: evenly distributed numbers, whatever the sums."""
        key = self._encryptor.public_key
        if len(masked) != 8 * key.limbs * count:
            raise MalformedMessage(f"{self._session.peer} sent another number of sums than the {count} due")
        ciphertexts = ciphertexts_in(masked, key)
        with span("decrypt"):
            if count:
                check_ciphertexts(key, ciphertexts)
            return self._decryptor.decrypt(ciphertexts).astype("<u8", copy=False).tobytes()

    def _take(self, offer: m.DirectionOffered, offered: Offered) -> bool:
        count, choices = len(offered.coefficients) + bool(offer.values), len(offer.linear)
        fits = len(offer.values) in (0, 4 * len(self.rows)) and len(offer.base) == count
        fits = fits and len(offer.mixing) == count * choices and len(offer.square) == choices**2
        if not fits or (offer.bounded and choices != 1):
            raise MalformedMessage(f"{self._session.peer} offered a direction of another length than was due")
        values = np.frombuffer(offer.values, dtype="<f4")
        square = np.array(offer.square).reshape(choices, choices)
        eigenvalues = np.linalg.eigvalsh(square)
        convex = np.allclose(square, square.T) and eigenvalues[0] >= -CONVEX * abs(eigenvalues[-1])
        if not np.isfinite(values).all() or not convex:
            raise MalformedMessage(
                f"{self._session.peer} offered a direction with a number that is not finite"
            )
        if len(values):
            offered.add(self.rows.spread(values))
            self.directions += 1
        offered.set_constraints(
            np.array(offer.base),
            np.array(offer.mixing).reshape(count, choices),
            bounded=offer.bounded,
            square=square,
            linear=np.array(offer.linear),
        )
        return True

    def close(self, coefficients: Float64) -> None:
        """End the job; the party keeps its coefficients."""
        closed = self._session.ask(m.CloseLinear(coefficients.tolist()), m.LinearClosed)
        self.base, self.unknown = closed.base, closed.unknown
