"""Messages of linear models in plain mode: residuals, masked sums and directions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.aggregation.ciphertext_stream import ChunkTaken, CiphertextChunk
from vfl.wire.message import Blob, Bound, Count, Finite, Identifier, Key32, Message
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step

MAX_DIRECTIONS = 1000

Exponent = Annotated[int, Meta(ge=-1200, le=1200)]
Coefficients = Annotated[list[Finite], Meta(max_length=MAX_DIRECTIONS)]
Matrix = Annotated[list[Finite], Meta(max_length=MAX_DIRECTIONS**2)]


class OpenLinear(Message, frozen=True):
    """The whole contract of a linear model: rows, key and penalties.

    ``binning`` names the binning in whose weights of evidence the columns take part; None takes them as they
    are. ``rows`` counts the label party's customers, whether aligned or not. Where some are not aligned, one
    more ciphertext follows those of the aligned rows and stands for all of them.
    """

    model: Identifier
    alignment: Identifier
    fingerprint: Key32
    binning: Identifier | None
    rows: Count
    public_key: Annotated[bytes, Meta(min_length=1, max_length=1024)]
    l2: Bound
    l1: Bound
    tol: Bound
    standardise: bool
    rounds: Annotated[int, Meta(ge=1, le=MAX_DIRECTIONS)]


class LinearOpened(Message, frozen=True):
    """The columns of a feature party by name, or empty names, and how many directions it offers at most."""

    columns: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=1000)]
    directions: Annotated[int, Meta(ge=1, le=MAX_DIRECTIONS)]


class OpenRound(Message, frozen=True):
    """Combine the directions offered, then start a round on new residuals.

    A residual ciphertext holds ``slots`` numbers: the residual, a whole multiple of
    ``2^-residual_exponent``, and with new curvatures the label party's columns, turned and weighted,
    multiples of ``2^-block_exponent``. A curvature ciphertext holds one number, a multiple of
    ``2^-curvature_exponent``.
    """

    coefficients: Coefficients
    curvatures: bool
    slots: Annotated[int, Meta(ge=1, le=64)]
    residual_exponent: Exponent
    block_exponent: Exponent
    curvature_exponent: Exponent


class RoundOpened(Message, frozen=True):
    """How many ciphertexts a pass over the rows has."""

    rows: Count


class Curvatures(CiphertextChunk, frozen=True):
    """A chunk of curvature ciphertexts, in row order from ``offset``."""


class CurvaturesTaken(ChunkTaken, frozen=True):
    """How many curvature ciphertexts have come so far."""


class Residuals(CiphertextChunk, frozen=True):
    """A chunk of residual ciphertexts, in row order from ``offset``."""


class ResidualsTaken(ChunkTaken, frozen=True):
    """How many residual ciphertexts have come so far."""


class AskMaskedSums(Message, frozen=True):
    """Ask for the sums of the round, once all its ciphertexts have been sent."""


class MaskedSums(Message, frozen=True):
    """Encrypted sums, each plus a number that the feature party drew evenly below n.

    ``gradients`` has a ciphertext for each column; ``curvatures`` has the products of every two columns,
    packed, in a round with new curvatures.
    """

    gradients: Blob
    curvatures: Blob


class GiveUnmasked(Message, frozen=True):
    """What the masked sums decrypt to, still masked: signed numbers as wide as n, in the same order."""

    gradients: Blob
    curvatures: Blob


class DirectionOffered(Message, frozen=True):
    """How far the feature party's coefficients would move at most, and where, unless it has nothing to offer.

    ``values`` are little-endian float32, one for each ciphertext of a pass: how the linear predictor of its
    row changes along a new direction. They are empty where no direction is needed that the label party does
    not have. The directions' coefficients may be ``base + mixing t``, with t between 0 and 1 if ``bounded``,
    at a penalty of ``t' square t / 2 + linear' t``. Matrices come row by row; all is empty where nothing is
    offered.
    """

    change: Bound
    values: Blob
    base: Coefficients
    mixing: Matrix
    bounded: bool
    square: Matrix
    linear: Coefficients


class CloseLinear(Message, frozen=True):
    """Combine the directions a last time and store the coefficients as this party's part."""

    coefficients: Coefficients


class LinearClosed(Message, frozen=True):
    """What the means of the feature party's columns add to the linear predictor, and what a customer does
    that the party does not know."""

    directions: Count
    base: Finite
    unknown: Finite


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenLinear, LinearOpened, "fitting"),
        Step("fitting", OpenRound, RoundOpened, "taking"),
        Step("fitting", CloseLinear, LinearClosed, CLOSED),
        Step("taking", Curvatures, CurvaturesTaken, "taking"),
        Step("taking", Residuals, ResidualsTaken, "taking"),
        Step("taking", AskMaskedSums, MaskedSums, "masked"),
        Step("masked", GiveUnmasked, DirectionOffered, "fitting"),
    ),
    reveals={
        OpenLinear: "how many customers the label party trains on in all; the penalties, the "
        "tolerance and the "
        "most rounds",
        LinearOpened: "how many columns there are",
        OpenRound: "its own coefficients so far",
        RoundOpened: "nothing new",
        CloseLinear: "its own coefficients",
        LinearClosed: "how many it has offered; what the means of its columns add to the predictor; "
        "what a customer"
        " that it does not know adds",
        Curvatures: "nothing: Paillier ciphertexts with fresh randomness",
        CurvaturesTaken: "nothing new",
        Residuals: "nothing: Paillier ciphertexts with fresh randomness",
        ResidualsTaken: "nothing new",
        AskMaskedSums: "that the ciphertexts of the round are complete",
        MaskedSums: "nothing: numbers spread evenly modulo n, whatever the label party can compute",
        GiveUnmasked: "after unmasking its own gradient",
        DirectionOffered: "one combination of the feature party's columns for every customer",
    },
)
