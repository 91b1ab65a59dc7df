"""Messages of logistic regression on secret shares: ciphertexts under both keys, and what is masked."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.aggregation.ciphertext_stream import ChunkTaken, CiphertextChunk
from vfl.wire.message import Blob, Bound, Count, Finite, Identifier, Key32, Message
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step

PaillierKey = Annotated[bytes, Meta(min_length=1, max_length=1024)]
Coordinates = Annotated[int, Meta(ge=1, le=1000)]
CoordinateExponent = Annotated[int, Meta(ge=0, le=12)]
Amplitude = Annotated[float, Meta(ge=0.0, le=2.0)]


class OpenShared(Message, frozen=True):
    """The whole contract of a model on shares.

    ``rows`` and ``binning`` are those of ``OpenLinear``; customers that are not aligned follow those that
    are. The label party's columns have ``width`` coordinates, smaller than ``2^exponent``.
    """

    model: Identifier
    alignment: Identifier
    fingerprint: Key32
    binning: Identifier | None
    rows: Count
    public_key: PaillierKey
    width: Coordinates
    exponent: CoordinateExponent
    l2: Bound
    standardise: bool
    steps: Annotated[int, Meta(ge=1, le=1000)]


class SharedOpened(Message, frozen=True):
    """The feature party's columns by name, or empty names, its key of this job, and its coordinates.

    ``penalty``: float64 [width, width], row by row; what coefficients of coordinates cost.
    """

    columns: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=1000)]
    public_key: PaillierKey
    width: Coordinates
    exponent: CoordinateExponent
    penalty: Blob


class LabelRows(CiphertextChunk, frozen=True):
    """A chunk of the label party's rows, encrypted: a row's label, and its coordinates."""


class LabelRowsTaken(ChunkTaken, frozen=True):
    """How many rows have come so far."""


class AskCrossSums(Message, frozen=True):
    """Ask for the sums over rows of the feature party's coordinates times what was sent."""


class CrossSumsGiven(Message, frozen=True):
    """The masked sums, and the masks of all but the labels': whole numbers as wide as a slot."""

    sums: Blob
    masks: Blob


class GivePlan(Message, frozen=True):
    """What both parties know about all steps: float64 matrices row by row, and the Fourier series: how
    far its constant is from one half, and its amplitudes."""

    gain: Blob
    damping: Blob
    momentum: Annotated[float, Meta(ge=0.0, lt=1.0)]
    level: Annotated[float, Meta(ge=-1.0, le=1.0)]
    amplitudes: Annotated[list[Amplitude], Meta(min_length=1, max_length=64)]


class PlanTaken(Message, frozen=True):
    """How many rows the job has."""

    rows: Count


class OpenStep(Message, frozen=True):
    """The label party's shares of the feature party's coefficients, encrypted under its key."""

    weights: Blob


class StepOpened(Message, frozen=True):
    """The other way round, and for each row what the label party's shares give, masked."""

    weights: Blob
    predictors: Blob


class GivePredictors(Message, frozen=True):
    """For each row what the feature party's shares give, masked."""

    predictors: Blob


class PredictorsTaken(Message, frozen=True):
    """How many rows the job has."""

    rows: Count


class ExchangeHarmonics(Message, frozen=True):
    """A chunk of ``rows`` rows: harmonics of the label party's shares of their predictors, under its key."""

    offset: Count
    rows: Annotated[int, Meta(ge=1, lt=2**24)]
    ciphertexts: Blob


class HarmonicsExchanged(Message, frozen=True):
    """Harmonics of the feature party's shares for the same rows, under its key."""

    ciphertexts: Blob


class AskGradient(Message, frozen=True):
    """Ask for the sums of all harmonics that have been sent."""


class GradientGiven(Message, frozen=True):
    """Harmonics of the label party weighted by the feature party's and its coordinates, summed and masked."""

    sums: Blob


class GiveGradient(Message, frozen=True):
    """Harmonics of the feature party weighted by the label party's, summed and masked; both take the step."""

    sums: Blob


class GradientTaken(Message, frozen=True):
    """How many steps have been taken."""

    steps: Count


class CloseShared(Message, frozen=True):
    """The label party's shares of the feature party's coefficients, after the last step and before it."""

    now: Blob
    before: Blob


class SharedClosed(Message, frozen=True):
    """The feature party's shares of the label party's coefficients, and what ``LinearClosed`` tells.

    ``change`` is how far the last step moved a coefficient of the feature party at most.
    """

    now: Blob
    before: Blob
    change: Bound
    base: Finite
    unknown: Finite


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenShared, SharedOpened, "crossing"),
        Step("crossing", LabelRows, LabelRowsTaken, "crossing"),
        Step("crossing", AskCrossSums, CrossSumsGiven, "planning"),
        Step("planning", GivePlan, PlanTaken, "stepping"),
        Step("stepping", OpenStep, StepOpened, "sharing"),
        Step("sharing", GivePredictors, PredictorsTaken, "exchanging"),
        Step("exchanging", ExchangeHarmonics, HarmonicsExchanged, "exchanging"),
        Step("exchanging", AskGradient, GradientGiven, "summed"),
        Step("summed", GiveGradient, GradientTaken, "stepping"),
        Step("stepping", CloseShared, SharedClosed, CLOSED),
    ),
    reveals={
        OpenShared: "how many customers the label party trains on, how many coordinates it has, "
        "their largest "
        "value to a power of two; the penalty",
        SharedOpened: "the number of columns; the variances of the feature party's principal components",
        LabelRows: "nothing: Paillier ciphertexts with fresh randomness",
        LabelRowsTaken: "nothing new",
        AskCrossSums: "that all rows have been sent",
        CrossSumsGiven: "correlations of the label party's columns with the feature party's rotated "
        "coordinates",
        GivePlan: "of the label party's columns what SharedOpened and CrossSumsGiven tell of the feature "
        "party's; the mean predictor of the label party's own model, so about the fraction of positives;"
        " its least curvature",
        PlanTaken: "nothing new",
        OpenStep: "nothing",
        StepOpened: "a share of every row's predictor, spread evenly over the period whatever the predictor",
        GivePredictors: "a share of every row's predictor, spread evenly over the period whatever "
        "the predictor",
        PredictorsTaken: "nothing new",
        ExchangeHarmonics: "nothing",
        HarmonicsExchanged: "nothing",
        AskGradient: "that all harmonics have been sent",
        GradientGiven: "shares of the gradient: masked by 64 bits more than any sum has",
        GiveGradient: "shares of the gradient: masked by 64 bits more than any sum has",
        GradientTaken: "nothing new",
        CloseShared: "its own coefficients, after the last step and before it",
        SharedClosed: "its own coefficients, after the last step and before it; how far the last "
        "step moved one of "
        "the feature party's; what the means of its columns add to the predictor, and what an unknown"
        " customer does",
    },
)
