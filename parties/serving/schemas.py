"""The data that cross the service's boundary: records in; answers, model cards and observations out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Decision = Literal["alert", "pass"]
Mode = Literal["joint", "partial", "bank_only"]
PartyStatus = Literal["answered", "unknown_customer", "not_aligned", "late", "down", "refused", "failed"]
Fallback = Literal["partial", "bank_only", "refuse"]
PeerState = Literal["answering", "slow", "waiting", "refused", "down"]
"""``waiting``: its people have to approve the contract; ``refused``: it signs none, or opens no job."""


FLOAT32_MAX = 3.4028234663852886e38
"""The largest number that float32 holds."""

KeyValue = Annotated[str, Meta(max_length=1_024)]
Keys = Annotated[
    dict[Annotated[str, Meta(max_length=64)], KeyValue],
    Meta(
        min_length=1,
        max_length=16,
        description="The customer: a value for each key field.",
        examples=[{"customer_id": "C-1042"}],
    ),
]
Feature = Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)] | None
Features = Annotated[
    dict[Annotated[str, Meta(max_length=256)], Feature],
    Meta(
        max_length=10_000,
        description="The label party's own columns of the model, null where missing.",
        examples=[{"age": 41, "income": None}],
    ),
]


class ScoreRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """A customer to score. Without features they are looked up in the published population."""

    keys: Keys
    features: Features | None = None


class Reason(Struct, frozen=True):
    """What one column, or one group of columns, adds to the margin; ``party`` holds it."""

    party: str
    name: str
    contribution: float


class Scored(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="scored"):
    """A score and how it came about.

    Attributes:
        keys: as in the request.
        score: what the prediction on the pooled columns is, of XGBoost or of scikit-learn, where ``mode`` is
            joint.
        decision: ``alert`` where the score reaches the threshold of its mode.
        mode: ``joint``: every feature party of the model that knows the customer has answered;
            ``partial``: columns of those that did not count as missing, in a linear model as their means;
            ``bank_only``: the score of the model that the label party trained alone.
        parties: what each feature party of the model did for this customer.
        reasons: the largest contributions to the margin, largest first; None where not asked for.
        base: the margin before any column is looked at, in a linear model that of the means of all columns:
            with all contributions it sums to the margin.
    """

    keys: dict[str, str]
    score: float
    decision: Decision
    mode: Mode
    parties: dict[str, PartyStatus]
    reasons: list[Reason] | None = None
    base: float | None = None


class Unscored(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="unscored"):
    """A record without a score.

    Attributes:
        keys: as in the request.
        code: ``bad_key`` (no usable key), ``unknown_customer`` (not in the population, and no features
            given) or ``not_aligned`` (not in the population, and the model is published to be refused
            without its partners).
        detail: a sentence on what to do.
    """

    keys: dict[str, str]
    code: str
    detail: str


class ThresholdCard(Struct, frozen=True, kw_only=True):
    """From which score on a customer is an alert.

    Attributes:
        version: number of the publication that set it.
        rule: as given to ``vfl publish``, such as ``fpr=0.01``.
        joint: for the modes joint and partial.
        bank_only: for the mode bank_only, by the same rule on that model's scores.
    """

    version: int
    rule: str
    joint: float
    bank_only: float


class Answer(Struct, frozen=True, kw_only=True):
    """The answer to a request: ``results`` has an entry for each record, in their order."""

    model: str
    publication: int
    threshold: ThresholdCard
    results: list[Scored | Unscored]
    elapsed_ms: float


class PartyCard(Struct, frozen=True, kw_only=True):
    """An institution's part in a model.

    Attributes:
        role: ``label`` or ``feature``.
        columns: their names, as far as the owner shows them.
        columns_total: how many there are.
        reasons: names under which its contributions may be told; empty where they may not.
    """

    role: Literal["label", "feature"]
    columns: list[str]
    columns_total: int
    reasons: list[str]


class PopulationCard(Struct, frozen=True, kw_only=True):
    """Customers that can be scored by their key alone.

    Attributes:
        source: file or table name, without its place.
        rows: customers.
        known: for each feature party, how many of them it knows.
    """

    source: str
    rows: int
    known: dict[str, int]


class ModelCard(Struct, frozen=True, kw_only=True):
    """A published model, as its users may know it.

    Attributes:
        created: when it was published, UTC.
        trained: when it was trained, UTC.
        rows, validation_rows: rows trained on, and kept out.
        objective: XGBoost's name of what was minimised.
        algorithm: name of the algorithm that trained it.
        summary: what kind of model it is, in a few words.
        params: XGBoost's parameters, or scikit-learn's of a linear model.
        metrics: measures of the joint scores on the rows that ``metrics_on`` names.
        metrics_on: ``validation``, or ``training`` where no rows were kept out.
    """

    model: str
    publication: int
    created: str
    trained: str
    rows: int
    validation_rows: int
    parties: dict[str, PartyCard]
    algorithm: str
    objective: str
    summary: str
    params: dict[str, Any]
    metrics: dict[str, float]
    metrics_on: Literal["validation", "training"]
    threshold: ThresholdCard
    fallback: Fallback
    population: PopulationCard


class Readiness(Struct, frozen=True, kw_only=True):
    """The models that are served, and the state of each feature party: a model is ready without them."""

    models: list[str]
    partners: dict[str, PeerState]

    @property
    def ready(self) -> bool:
        return bool(self.models)


class PeerObservation(Struct, frozen=True):
    """What one peer did for one request."""

    status: PartyStatus
    seconds: float


class Observation(Struct, frozen=True, kw_only=True):
    """One answered request, for metrics.

    Attributes:
        modes: records by mode; those without a score are left out.
        peers: by name, those of the model, whether they were asked or not.
    """

    model: str
    rows: int
    seconds: float
    modes: dict[Mode, int]
    peers: dict[str, PeerObservation]
