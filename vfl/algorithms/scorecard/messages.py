"""Messages of binning: counts of labels by pre-bin, and weights of evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from vfl.aggregation.ciphertext_stream import ChunkTaken, CiphertextChunk
from vfl.wire.message import MAX_COLUMNS, Blob, Bound, Column, Count, Identifier, Key32, Message, Small
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step

Woe = Annotated[float, Meta(ge=-100.0, le=100.0)]


class OpenBinning(Message, frozen=True):
    """The contract of a binning job: rows, key, and the bounds that sums will keep.

    ``fit_rows`` is a bitmap over the aligned rows; ``packed_rows`` is a power of two, no sum covers more.
    """

    binning: Identifier
    alignment: Identifier
    fingerprint: Key32
    fit_rows: Blob
    public_key: Annotated[bytes, Meta(min_length=1, max_length=1024)]
    fraction_bits: Annotated[int, Meta(ge=0, le=52)]
    packed_rows: Count
    max_weight: Bound
    prebinning: Literal["quantile", "width"]
    max_prebins: Annotated[int, Meta(ge=2, le=200)]


class BinningOpened(Message, frozen=True):
    """Columns with the numbers of their pre-bins, those below the owner's minimum merged already."""

    columns: Annotated[list[Column], Meta(min_length=1, max_length=MAX_COLUMNS)]


class LabelCounts(CiphertextChunk, frozen=True):
    """A chunk of ciphertexts of weight and weighted label, one for each fit row, in row order."""


class LabelCountsTaken(ChunkTaken, frozen=True):
    """How many ciphertexts have come so far."""


class SumBins(Message, frozen=True):
    """Ask for the sums of all pre-bins, once all ciphertexts have been sent."""


class BinsSummed(Message, frozen=True):
    """Packed encrypted sums of every pre-bin of every column, column by column."""

    ciphertexts: Blob


class WoeBins(Struct, frozen=True, forbid_unknown_fields=True):
    """The bins of a column: the last pre-bin of each, and weights of evidence."""

    column: Small
    ends: Annotated[list[Small], Meta(min_length=1, max_length=200)]
    woe: Annotated[list[Woe], Meta(min_length=1, max_length=200)]
    missing: Woe


class FixBinning(Message, frozen=True):
    """Columns with enough information value, that with the most first; keep those within the limits."""

    columns: Annotated[list[WoeBins], Meta(max_length=MAX_COLUMNS)]
    max_correlation: Annotated[float, Meta(ge=0.0, le=1.0)] | None
    max_vif: Annotated[float, Meta(ge=1.0)] | None


class BinningFixed(Message, frozen=True):
    """Which columns are kept."""

    selected: Annotated[list[Small], Meta(max_length=MAX_COLUMNS)]


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenBinning, BinningOpened, "counting"),
        Step("counting", LabelCounts, LabelCountsTaken, "counting"),
        Step("counting", SumBins, BinsSummed, "binned"),
        Step("binned", FixBinning, BinningFixed, CLOSED),
    ),
    reveals={
        OpenBinning: "which aligned rows are counted; to a factor of two, how many rows are counted "
        "in all and the"
        " largest sample weight",
        BinningOpened: "how many columns there are, and how many pre-bins of at least the owner's "
        "minimum of rows "
        "each has",
        LabelCounts: "nothing: Paillier ciphertexts with fresh randomness",
        LabelCountsTaken: "nothing new",
        SumBins: "that the ciphertexts are complete",
        BinsSummed: "how many rows, and how many with label 1, each pre-bin of each column holds",
        FixBinning: "which of its columns have information and their order; the fraction of label 1 "
        "in each of its "
        "own bins",
        BinningFixed: "which of the offered columns repeat better ones of the party, or are constant",
    },
)
