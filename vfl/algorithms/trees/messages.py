"""Messages of trees: gradients, sums of bins, splits and directions; and which way customers go."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from vfl.aggregation.ciphertext_stream import ChunkTaken, CiphertextChunk
from vfl.algorithms.trees.columns import Split
from vfl.model.question import SCORING, Question
from vfl.wire.message import MAX_COLUMNS, Blob, Bound, Column, Count, Identifier, Key32, Message, Small
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step

MAX_NODES = 2**16


class OpenTraining(Message, frozen=True):
    """The whole contract of a training job: rows, key, and the bounds that sums will keep.

    ``fit_rows`` and ``watch_rows`` are bitmaps over the aligned rows: rows that train, and rows that
    only walk down the trees (validation). ``grown`` is 0 for a new model; the job of a model that was broken
    off goes on after its first ``grown`` trees, of which the feature party has kept its ``splits``.
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
    grown: Small = 0
    splits: Count = 0


class TrainingOpened(Message, frozen=True):
    """The columns, and how many of them the owner's disclosure control gave coarser bins than asked for."""

    columns: Annotated[list[Column], Meta(min_length=1, max_length=MAX_COLUMNS)]
    coarser: Count


class OpenTree(Message, frozen=True):
    """Start a tree on some columns and on the fit rows set in ``rows``, a bitmap over the job's rows.

    The job's rows are the fit and watch rows, ascending; an empty bitmap means all fit rows.
    """

    tree: Small
    rows: Blob
    columns: Annotated[list[Small], Meta(max_length=MAX_COLUMNS)]


class TreeOpened(Message, frozen=True):
    rows: Count


class Gradients(CiphertextChunk, frozen=True):
    """A chunk of ciphertexts, one for each sampled row, in row order from ``offset``."""


class GradientsTaken(ChunkTaken, frozen=True):
    """How many rows of the tree have come."""


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

    ``splits`` are by the receiver's columns, ``directions`` by those of others. A pair is
    named by its left child; the one with fewer of the receiver's sampled rows is summed, the left on a tie.
    """

    splits: Annotated[list[Split], Meta(max_length=MAX_NODES)]
    directions: Annotated[list[Directions], Meta(max_length=MAX_NODES)]
    siblings: Annotated[list[Small], Meta(max_length=MAX_NODES)]


class LevelGrown(Message, frozen=True):
    directions: Annotated[list[Directions], Meta(max_length=MAX_NODES)]
    sums: Annotated[list[NodeSums], Meta(max_length=MAX_NODES)]


class CloseTraining(Message, frozen=True):
    """Keep the splits of the first ``trees`` trees as this party's part of the model."""

    trees: Small


class TrainingClosed(Message, frozen=True):
    splits: Count


class AskDirections(Question, frozen=True):
    """Ask which way each customer goes at every split of a feature party's part."""


class DirectionsGiven(Message, frozen=True):
    """A bitmap of the asked rows by ``splits``, each row padded to whole bytes."""

    go_left: Blob


SCORING_CONVERSATION = Conversation(
    steps=(Step(SCORING, AskDirections, DirectionsGiven, SCORING),),
    reveals={
        AskDirections: "exactly who is scored, when, and how often",
        DirectionsGiven: "on which side of every split each asked customer lies",
    },
)

CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenTraining, TrainingOpened, "ready"),
        Step("ready", OpenTree, TreeOpened, "receiving"),
        Step("ready", CloseTraining, TrainingClosed, CLOSED),
        Step("receiving", Gradients, GradientsTaken, "receiving"),
        Step("receiving", SumRoot, LevelGrown, "growing"),
        Step("growing", GrowLevel, LevelGrown, "growing"),
        Step("growing", OpenTree, TreeOpened, "receiving"),
        Step("growing", CloseTraining, TrainingClosed, CLOSED),
    ),
    reveals={
        OpenTraining: "which aligned rows train and which validate; how many rows train in all, those "
        "outside the alignment included; number of trees, depth and bins; two bounds, each a power of two",
        TrainingOpened: "how many columns there are, the number of bins of each: for a column of few "
        "values, how many it has; and how many of them disclosure control made coarser",
        OpenTree: "which rows and columns this tree samples",
        TreeOpened: "nothing new",
        CloseTraining: "how many trees the model has (early stopping)",
        TrainingClosed: "nothing new: the number of splits kept",
        Gradients: "nothing: Paillier ciphertexts with fresh randomness",
        GradientsTaken: "nothing new",
        SumRoot: "that the ciphertexts of the tree are complete",
        LevelGrown: "which aligned rows go left at each split that the feature party won; the sums of g "
        "and of h in every bin of every column of the tree for each node asked",
        GrowLevel: "which of its columns won at which bin; which of its rows share a node",
    },
)
