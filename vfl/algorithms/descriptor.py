"""What the rest of the system knows of an algorithm, and of the kind of job that runs it.

Contracts, policy, workers, trainers, storage, commands, ledgers and reports go through these descriptors and
name no algorithm. A new one is a folder with its own descriptor, and a line in `vfl.algorithms.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from vfl.aggregation.table import LabelTable
from vfl.arrays import Bool
from vfl.crypto.paillier import PrivateKey, Profile
from vfl.linear_model.evidence import NamedBinning
from vfl.model.model_type import ModelType
from vfl.psi.alignment import Alignment
from vfl.psi.identifiers import PreparedIdentifiers
from vfl.wire.contract import Action
from vfl.wire.message import Message
from vfl.wire.protocol import Conversation
from vfl.wire.session import Handler, LabelSession

Progress = Callable[[int, int, str], None]
"""Called with how much is done, how much there is at most, and what happened."""


@dataclass(frozen=True)
class Limit:
    """How much a feature party lets one peer ask for: a key of ``[peers.NAME.limits]``.

    Attributes:
        name: the key.
        default: its value where nothing is written; None for no limit of its own.
        description: what belongs there, for people who write it.
    """

    name: str
    default: int | None
    description: str


MAX_ROUNDS = Limit("max_rounds", 100, "most rounds of a training that goes round by round")
"""The limit of every algorithm that trains in rounds."""


@dataclass(frozen=True)
class Term:
    """A number of a job that its contract fixes and a feature party limits.

    Attributes:
        name: in the contract.
        limit: of the feature party.
        bound: whether it is ``most`` that may be asked for, or the ``least`` that is asked of everyone.
        of_opening: reads it from the message that opens the job; None where no message carries it.
        proposed: what a label party proposes where its ``[contract]`` says nothing; None where parameters
            of the job say it.
        noun: what the number counts, in a record of processing; the name where nothing is given.
    """

    name: str
    limit: Limit
    bound: Literal["most", "least"] = "most"
    of_opening: Callable[[Any], int] | None = None
    proposed: int | None = None
    noun: str = ""

    def in_words(self, number: int) -> str:
        """Return what a contract with this number allows, as in "at most 10 trees"."""
        return f"at {self.bound} {number:,} {self.noun or self.name}"


@dataclass(frozen=True)
class Grant:
    """What a feature party lets one job have.

    Attributes:
        peer: the label party that asks.
        store: this party's alignments, columns, parts and binnings, as far as the contract covers them.
        terms: by name, the numbers that the contract fixes.
        limits: by name, those of this party for the peer.
        show_columns: whether the peer learns the names of this party's columns.
        profile: randomness of this party's own encryption, see `vfl.crypto.paillier.Encryptor`.
        reasons: for the columns of a part, the names under which contributions may be reported; an empty list
            forbids reasons.
        identifiers: this party's customers.
    """

    peer: str
    store: Any
    terms: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int | None] = field(default_factory=dict)
    show_columns: bool = False
    profile: Profile = "short"
    reasons: Callable[[Sequence[str]], list[str]] = lambda columns: []
    identifiers: Callable[[], PreparedIdentifiers] | None = None


@dataclass(frozen=True)
class JobType:
    """A kind of job between a label party and a feature party.

    Attributes:
        opening: the message that opens it.
        action: what a contract must be about for it.
        activity: what is done, in words for a record of processing.
        worker: makes what answers its messages.
        makes: the field of the opening that names what the job makes; None where it makes nothing.
        algorithm: name of the algorithm in contracts; None for jobs that train nothing.
        rows: how many customers of the label party an opening is about.
        trained_rows: how many of the feature party's rows sums are over, by the opening; None where there
            are none, or the opening does not say.
        terms, limits: numbers that contracts fix, and further limits of a feature party.
        term_of: by message within the job, the term that it uses up, and how much of it.
    """

    opening: type[Message]
    action: Action
    activity: str
    worker: Callable[[Grant], Handler]
    makes: str | None = None
    algorithm: str | None = None
    rows: Callable[[Any], int] = lambda opening: 0
    trained_rows: Callable[[Any], int] | None = None
    terms: tuple[Term, ...] = ()
    limits: tuple[Limit, ...] = ()
    term_of: Mapping[type[Message], tuple[str, Callable[[Any], int]]] = field(default_factory=dict)

    @property
    def permission(self) -> str:
        """The permission of a peer that it needs."""
        return "train" if self.action == "bin" else self.action


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of every training.

    Attributes:
        sessions: a new conversation with each feature party; none for a model of the label party alone.
        alignments: by the same names.
        table: the rows that take part.
        watch: bool [n], the rows for validation.
        private_key, profile: of the label party's cipher.
        model_id: name under which every party keeps its part.
        binning: in whose weights of evidence columns take part, if in any.
        on_progress: called at each step.
        checkpoint: state of an interrupted training, None for a new one.
        keep: called with the number of finished rounds and the state after them.
    """

    sessions: Mapping[str, LabelSession]
    alignments: Mapping[str, Alignment]
    table: LabelTable
    watch: Bool
    private_key: PrivateKey
    profile: Profile
    model_id: str
    binning: NamedBinning | None = None
    on_progress: Progress = lambda done, total, what: None
    checkpoint: bytes | None = None
    keep: Callable[[int, bytes], None] = lambda rounds, state: None


@dataclass(frozen=True)
class Trained:
    """The label party's result of a training.

    Attributes:
        part: its part of the model.
        metric: name of what was watched; ``history`` has its value after each round.
        facts: what is on record of such a model, see `vfl.model.model_type.ModelType`.
    """

    part: Any
    metric: str
    history: list[float]
    facts: Struct


@dataclass(frozen=True)
class Training:
    """How the label party trains models with an algorithm.

    Attributes:
        model_type: of the models.
        params: the class of parameters.
        accepts: whether parameters of that class are for this algorithm.
        terms: what a contract has to allow for parameters, by name of a term.
        run: trains; raises ParameterError, DataError, NotAligned or PeerError.
        takes_binning: whether columns may take part as weights of evidence.
        validation_seed: the seed that draws validation rows, by parameters.
        default_params: default parameters; its argument says whether columns are weights of evidence.
    """

    model_type: ModelType
    params: type[Struct]
    terms: Callable[[Any], Mapping[str, int]]
    run: Callable[[TrainingInputs, Any], Trained]
    accepts: Callable[[Any], bool] = lambda params: True
    takes_binning: bool = False
    validation_seed: Callable[[Any], int] = lambda params: 0
    default_params: Callable[[bool], Any] | None = None


@dataclass(frozen=True)
class Algorithm:
    """A federated algorithm.

    Attributes:
        name: as contracts name it, and its folder.
        conversation: its messages.
        job: the kind of job that its messages are about.
        training: how models are trained with it; None where it makes something else.
    """

    name: str
    conversation: Conversation
    job: JobType
    training: Training | None = None
