"""Messages of label means: ciphertexts of labels, sums by bin, and the bins that customers are in."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.aggregation.ciphertext_stream import ChunkTaken, CiphertextChunk
from vfl.model.question import SCORING, Question
from vfl.wire.message import MAX_COLUMNS, Blob, Column, Count, Identifier, Key32, Message
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step


class OpenLabelMeans(Message, frozen=True):
    """Open the job; ``fit_rows`` is a bitmap over aligned rows, no sum covers more than ``packed_rows``."""

    model: Identifier
    alignment: Identifier
    fingerprint: Key32
    fit_rows: Blob
    public_key: Annotated[bytes, Meta(min_length=1, max_length=1024)]
    packed_rows: Count
    bins: Annotated[int, Meta(ge=2, le=200)]


class LabelMeansOpened(Message, frozen=True):
    """The columns, each with its number of bins."""

    columns: Annotated[list[Column], Meta(min_length=1, max_length=MAX_COLUMNS)]


class EncryptedLabels(CiphertextChunk, frozen=True):
    """A ciphertext of label and 1 for each fit row."""


class EncryptedLabelsReceived(ChunkTaken, frozen=True):
    """How many rows have come."""


class SumLabels(Message, frozen=True):
    """Ask for the sums of all bins, once all ciphertexts have been sent."""


class LabelSums(Message, frozen=True):
    """Packed encrypted sums of every bin of every column, column by column."""

    ciphertexts: Blob


class CloseLabelMeans(Message, frozen=True):
    """End the job; the feature party stores its part."""


class LabelMeansClosed(Message, frozen=True):
    """The part is stored."""


class AskBins(Question, frozen=True):
    """Ask in which bin of each column customers are."""


class CustomerBins(Message, frozen=True):
    """A bitmap of the asked rows by the bins of all columns, one bit or none (missing) set in each column."""

    bins: Blob


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenLabelMeans, LabelMeansOpened, "label means: adding"),
        Step("label means: adding", EncryptedLabels, EncryptedLabelsReceived, "label means: adding"),
        Step("label means: adding", SumLabels, LabelSums, "label means: added"),
        Step("label means: added", CloseLabelMeans, LabelMeansClosed, CLOSED),
    ),
    reveals={
        OpenLabelMeans: "which aligned rows train, and how many rows train in all",
        LabelMeansOpened: "how many columns there are, and how many bins each has",
        EncryptedLabels: "nothing: Paillier ciphertexts with fresh randomness",
        EncryptedLabelsReceived: "nothing new",
        SumLabels: "that the ciphertexts are complete",
        LabelSums: "how many rows, and how many with label 1, each bin of each column holds",
        CloseLabelMeans: "that the model is made",
        LabelMeansClosed: "nothing",
    },
)

SCORING_CONVERSATION = Conversation(
    steps=(Step(SCORING, AskBins, CustomerBins, SCORING),),
    reveals={
        AskBins: "exactly who is scored, when, and how often",
        CustomerBins: "in which bin of every column each asked customer is",
    },
)
