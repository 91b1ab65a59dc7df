"""What a label party asks a feature party about customers while a scoring job is open."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vfl.arrays import Positions
from vfl.errors import MalformedMessage, OutOfRange
from vfl.wire.message import Message

SCORING = "scoring"
"""State of a scoring job that is open: questions may come in it, and leave it as it is."""

SCORING_ROWS = 65_536
"""Rows that one message may ask about: at 500 splits 4 MB come back."""


class Question(Message, frozen=True):
    """A question about customers.

    ``rows`` are positions in the alignment, little-endian ``uint32``: in any order, repeats allowed, none
    allowed (which asks no more than whether the party answers).
    """

    rows: Annotated[bytes, Meta(max_length=4 * SCORING_ROWS)]

    def positions(self, n_rows: int) -> Positions:
        """Return the positions, all of them below ``n_rows``.

        Raises:
            MalformedMessage: the bytes are no positions.
            OutOfRange: a position is beyond the alignment.
        """
        if len(self.rows) % 4:
            raise MalformedMessage(
                f"positions must be whole numbers of 4 bytes, and {len(self.rows)} bytes came"
            )
        positions: Positions = np.frombuffer(self.rows, dtype="<u4")
        if len(positions) and positions.max() >= n_rows:
            raise OutOfRange(f"row {positions.max()} was asked for where the alignment has {n_rows} rows")
        return positions
