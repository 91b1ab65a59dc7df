"""Every message that crosses between a label party and a feature party.

Messages are frozen and check their own bounds when they are decoded. Arrays travel as bytes: points
of 32 bytes, ciphertexts as little-endian limbs, positions as little-endian ``uint32``, bitmaps with the
first row in the lowest bit of the first byte. ``docs/protocol.md`` says what each one reveals.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_FRAME_BYTES = 64 * 2**20
"""No message is larger; a party that has more to say says it in chunks."""

MAX_COLUMNS = 100_000
MAX_NODES = 2**16
MAX_DIRECTIONS = 1000

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Sentence = Annotated[str, Meta(max_length=2_000)]
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Blob = Annotated[bytes, Meta(max_length=MAX_FRAME_BYTES)]
Count = Annotated[int, Meta(ge=0, lt=2**32)]
Small = Annotated[int, Meta(ge=0, lt=2**20)]
Bound = Annotated[float, Meta(ge=0.0, le=1e30)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]
Exponent = Annotated[int, Meta(ge=-1200, le=1200)]


class Message(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of all messages; the class name is the tag on the wire."""


class Refusal(Message, frozen=True):
    """Any request may be answered so: the code of the error and a sentence that says what to do."""

    code: Identifier
    text: Sentence


# --- alignment ------------------------------------------------------------------------------------


class OpenAlignment(Message, frozen=True):
    """Ask to align. Both sides must prepare identifiers by the same recipe."""

    alignment: Identifier
    mode: Literal["left", "inner"]
    recipe: Annotated[list[Sentence], Meta(min_length=1, max_length=32)]
    rows: Count


class AlignmentOpened(Message, frozen=True):
    rows: Count


class MaskPoints(Message, frozen=True):
    """A chunk of the label party's identifiers, hashed to the group and masked with its scalar."""

    points: Blob


class PointsMasked(Message, frozen=True):
    """The same points in the same order, masked with the feature party's scalar as well."""

    points: Blob


class FetchPoints(Message, frozen=True):
    """Ask for a chunk of the feature party's own masked identifiers."""

    offset: Count
    count: Annotated[int, Meta(ge=1, lt=2**20)]


class PointsFetched(Message, frozen=True):
    points: Blob


class FixAlignment(Message, frozen=True):
    """Which of the feature party's points are aligned, in the order both sides will use."""

    positions: Blob
    key: Key32


class AlignmentFixed(Message, frozen=True):
    rows: Count
    fingerprint: Key32


# --- training -------------------------------------------------------------------------------------


class OpenTraining(Message, frozen=True):
    """The whole contract of a training job: rows, key, and the bounds that sums will keep.

    ``fit_rows`` and ``watch_rows`` are bitmaps over the aligned rows: rows that train, and rows that
    only walk down the trees (validation).
    """

    model: Identifier
    alignment: Identifier
    fingerprint: Key32
    fit_rows: Blob
    watch_rows: Blob
    public_key: Annotated[bytes, Meta(min_length=1, max_length=1024)]
    fraction_bits: Annotated[int, Meta(ge=1, le=52)]
    packed_rows: Count
    max_abs_g: Bound
    max_h: Bound
    max_bin: Annotated[int, Meta(ge=2, le=65_535)]
    max_depth: Annotated[int, Meta(ge=1, le=30)]
    trees: Annotated[int, Meta(ge=1, le=100_000)]


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a feature party as far as its owner shows it: a name, or an empty one."""

    name: Annotated[str, Meta(max_length=200)]
    bins: Annotated[int, Meta(ge=0, le=65_535)]


class TrainingOpened(Message, frozen=True):
    columns: Annotated[list[Column], Meta(min_length=1, max_length=MAX_COLUMNS)]


class OpenTree(Message, frozen=True):
    """Start a tree on some columns and on the fit rows set in ``rows``, a bitmap over the job's rows.

    The job's rows are the fit and watch rows, ascending; an empty bitmap means all fit rows.
    """

    tree: Small
    rows: Blob
    columns: Annotated[list[Small], Meta(max_length=MAX_COLUMNS)]


class TreeOpened(Message, frozen=True):
    rows: Count


class Gradients(Message, frozen=True):
    """A chunk of ciphertexts, one for each sampled row, in row order from ``offset``."""

    offset: Count
    ciphertexts: Blob


class GradientsTaken(Message, frozen=True):
    rows: Count


class Split(Struct, frozen=True, forbid_unknown_fields=True):
    """A node whose best split is the feature party's: it alone knows what the bin means.

    ``split`` numbers the party's splits over the whole model, from 0 without gaps; rows go to the
    child ``left`` or to ``left + 1``.
    """

    split: Count
    node: Small
    left: Small
    column: Small
    bin: Annotated[int, Meta(ge=-1, le=65_535)]
    default_left: bool


class Directions(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows of a node go to its child ``left``: a bitmap over the party's rows there, ascending."""

    node: Small
    left: Small
    go_left: Blob


class NodeSums(Struct, frozen=True, forbid_unknown_fields=True):
    """Packed encrypted sums of a node: every bin of every column of the tree, column by column."""

    node: Small
    ciphertexts: Blob


class SumRoot(Message, frozen=True):
    """Ask for the sums of the root, once all ciphertexts of the tree have been sent."""


class GrowLevel(Message, frozen=True):
    """Split the nodes of one level, then sum one child of each pair in ``siblings``.

    ``splits`` are won by the receiver, ``directions`` come from whoever won the other nodes. A pair is
    named by its left child; the one with fewer of the receiver's sampled rows is summed, the left on a tie.
    """

    splits: Annotated[list[Split], Meta(max_length=MAX_NODES)]
    directions: Annotated[list[Directions], Meta(max_length=MAX_NODES)]
    siblings: Annotated[list[Small], Meta(max_length=MAX_NODES)]


class LevelGrown(Message, frozen=True):
    directions: Annotated[list[Directions], Meta(max_length=MAX_NODES)]
    sums: Annotated[list[NodeSums], Meta(max_length=MAX_NODES)]


class CloseTraining(Message, frozen=True):
    """Keep the splits of the first ``trees`` trees as this party's share of the model."""

    trees: Small


class TrainingClosed(Message, frozen=True):
    splits: Count


# --- linear models --------------------------------------------------------------------------------

Coefficients = Annotated[list[Finite], Meta(max_length=MAX_DIRECTIONS)]
Matrix = Annotated[list[Finite], Meta(max_length=MAX_DIRECTIONS**2)]


class OpenLinear(Message, frozen=True):
    """The whole contract of a linear model: rows, key and penalties.

    ``rows`` counts the label party's customers, whether aligned or not. Where some are not aligned, one more
    ciphertext follows those of the aligned rows and stands for all of them.
    """

    model: Identifier
    alignment: Identifier
    fingerprint: Key32
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
    rows: Count


class Curvatures(Message, frozen=True):
    """A chunk of curvature ciphertexts, in row order from ``offset``."""

    offset: Count
    ciphertexts: Blob


class CurvaturesTaken(Message, frozen=True):
    rows: Count


class Residuals(Message, frozen=True):
    """A chunk of residual ciphertexts, in row order from ``offset``."""

    offset: Count
    ciphertexts: Blob


class ResidualsTaken(Message, frozen=True):
    rows: Count


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
    """Combine the directions a last time and keep the coefficients as this party's share."""

    coefficients: Coefficients


class LinearClosed(Message, frozen=True):
    directions: Count


# --- scoring --------------------------------------------------------------------------------------


class OpenScoring(Message, frozen=True):
    model: Identifier
    alignment: Identifier
    fingerprint: Key32


class ScoringOpened(Message, frozen=True):
    splits: Count
    rows: Count


class AskDirections(Message, frozen=True):
    """Ask which way each of ``count`` aligned rows from ``offset`` goes at every split of the share."""

    offset: Count
    count: Annotated[int, Meta(ge=1, lt=2**24)]


class DirectionsGiven(Message, frozen=True):
    """A bitmap of ``count`` rows by ``splits``, each row padded to whole bytes."""

    go_left: Blob


class CloseScoring(Message, frozen=True):
    pass


class ScoringClosed(Message, frozen=True):
    pass


# --- export ---------------------------------------------------------------------------------------


class AskShare(Message, frozen=True):
    """Ask the feature party to hand over its share of a model; only its policy can say yes."""

    model: Identifier


class ShareGiven(Message, frozen=True):
    share: Blob


Request = (
    OpenAlignment
    | MaskPoints
    | FetchPoints
    | FixAlignment
    | OpenTraining
    | OpenTree
    | Gradients
    | SumRoot
    | GrowLevel
    | CloseTraining
    | OpenLinear
    | OpenRound
    | Curvatures
    | Residuals
    | AskMaskedSums
    | GiveUnmasked
    | CloseLinear
    | OpenScoring
    | AskDirections
    | CloseScoring
    | AskShare
)

Reply = (
    AlignmentOpened
    | PointsMasked
    | PointsFetched
    | AlignmentFixed
    | TrainingOpened
    | TreeOpened
    | GradientsTaken
    | LevelGrown
    | TrainingClosed
    | LinearOpened
    | RoundOpened
    | CurvaturesTaken
    | ResidualsTaken
    | MaskedSums
    | DirectionOffered
    | LinearClosed
    | ScoringOpened
    | DirectionsGiven
    | ScoringClosed
    | ShareGiven
    | Refusal
)
