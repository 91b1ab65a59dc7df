"""How a label party trains models with its peers, under contracts, and resumes a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
from msgspec import Struct

from parties.contracts.client import SignedContract
from parties.data import rows
from parties.label.client import LabelClient
from parties.label.cohort import taking_part
from parties.link.retry import until_done
from parties.storage import database
from parties.storage.model_store import AlignmentRecord, ModelRecord
from parties.storage.names import chosen
from parties.storage.training_checkpoints import Training, TrainingCheckpointer, TrainingCheckpoints, digest
from parties.telemetry.progress import Progress, silent
from vfl.aggregation.table import LabelTable
from vfl.algorithms.descriptor import TrainingInputs
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Bool
from vfl.crypto.paillier import PrivateKey
from vfl.errors import NotAligned, ParameterError
from vfl.linear_model.evidence import NamedBinning, named_binning
from vfl.psi.alignment import Alignment


@dataclass(frozen=True)
class TrainingData:
    """What a job works on.

    Attributes:
        record, alignments: the alignment, and its part with each peer.
        table: the rows that take part.
        watch: bool [n], the validation rows among them.
        key: of the label party's cipher.
    """

    record: AlignmentRecord
    alignments: dict[str, Alignment]
    table: LabelTable
    watch: Bool
    key: PrivateKey

    @classmethod
    def load(
        cls, client: LabelClient, alignment: str | None, validation_fraction: float, seed: int
    ) -> TrainingData:
        """Read the rows of an alignment, the newest one of ``[data]`` by default.

        Raises:
            ParameterError: the validation fraction is out of range.
            NotAligned: the data has changed since it was aligned.
            DataError, StateError, KeyFileError: as their names say.
        """
        if not 0 <= validation_fraction <= 0.9:
            raise ParameterError(f"validation_fraction={validation_fraction} (allowed: 0 to 0.9)")
        record, alignments = client.load_alignment(alignment)
        table = taking_part(record, alignments, rows.load(client.config))
        watch = rows.drawn(table.identifiers, validation_fraction, seed)
        key = client.private_key()  # made when first needed, which is no part of training
        return cls(record, alignments, table, watch, key)


class Trainer:
    """Trains models for a label party.

    Args:
        client: its connections to the peers.
    """

    def __init__(self, client: LabelClient) -> None:
        self._client, self._models = client, client.models
        self._checkpoints = TrainingCheckpoints(client.config)
        self._checkpointer: TrainingCheckpointer | None = None

    def train(
        self,
        *,
        alignment: str | None = None,
        name: str | None = None,
        params: Struct | None = None,
        binning: str | None = None,
        validation_fraction: float = 0.0,
        on_progress: Progress = silent,
    ) -> ModelRecord:
        """Train a model with the peers of an alignment, then one of this party's columns alone.

        The second one has the same rows and parameters; scores fall back to it where peers are absent.

        Args:
            alignment: the newest one of ``[data]`` by default.
            name: of the model; a fresh one by default.
            params: those of ``[model]`` by default; their class says which algorithm trains.
            binning: in whose weights of evidence the columns take part, where the algorithm takes any.
            validation_fraction: fraction of rows, 0 to 0.9, left out of training to compute the metric on.

        Raises:
            ParameterError: the validation fraction is out of range, or does not fit the binning.
            NotAligned: the data has changed since it was aligned.
            DataError, StateError, KeyFileError, PeerError: as their names say.
        """
        chosen_name, name = name, chosen("model", name)
        self._models.check_new_model(name)
        self._checkpoints.check_new(name)
        training = Training.begin(
            params or self._client.config.model,
            model=name,
            alignment=self._client.load_alignment(alignment)[0].alignment,
            binning=binning,
            validation_fraction=validation_fraction,
        )
        data, evidence = self._data_of(training)
        contract = self._contract(training, data, self._is_free if chosen_name is None else None)
        training = msgspec.structs.replace(training, model=contract.terms.model or name)
        with self._checkpoints.locked(training.model):
            self._models.check_new_model(training.model)  # by a process that had the lock until now
            self._checkpoints.check_new(training.model)
            return self._train(training, data, evidence, contract, on_progress)

    def resume(self, model: str, *, on_progress: Progress = silent) -> ModelRecord:
        """Resume a training that was broken off, to the same model that it would have made.

        Raises:
            StateError: no such training, or another process runs it.
            NotAligned: the data has changed since it began.
            PeerError, KeyFileError: as :meth:`train`.
        """
        model = chosen("model", model)
        if self._models.has_model(model):  # it was broken off after its last step
            self._checkpoints.remove(model)
            return self._models.load_record(model)
        with self._checkpoints.locked(model):
            training = self._checkpoints.load(model)
            data, evidence = self._data_of(training)
            return self._train(training, data, evidence, self._contract(training, data, None), on_progress)

    @property
    def broken_off(self) -> Training | None:
        """The last training of this party, where it did not end and can be resumed."""
        return self._checkpointer.training if self._checkpointer else None

    def _data_of(self, training: Training) -> tuple[TrainingData, NamedBinning | None]:
        """Return what a training works on, and its binning; raises as :meth:`train`."""
        evidence = self._evidence(training)
        seed = training.method.validation_seed(training.params)
        return TrainingData.load(
            self._client, training.alignment, training.validation_fraction, seed
        ), evidence

    def _evidence(self, training: Training) -> NamedBinning | None:
        if training.binning is None:
            return None
        if not training.method.takes_binning:
            raise ParameterError(
                f"{training.algorithm} bin columns for themselves: "
                "leave the binning out, or train a linear model"
            )
        record, content = self._models.load_binning(training.binning)
        if record.validation_fraction != training.validation_fraction:
            raise ParameterError(
                f"binning {training.binning} left out {record.validation_fraction:g} of the rows; train with "
                "the same validation fraction, or its weights of evidence use labels of validation rows"
            )
        return named_binning(training.binning, content)

    def _contract(
        self, training: Training, data: TrainingData, free: Callable[[str], bool] | None
    ) -> SignedContract:
        return self._client.contracts.obtain(
            "train",
            data.alignments,
            free=free,
            alignment=training.alignment,
            model=training.model,
            binning=training.binning,
            rows=len(data.table.labels),
            key_bits=data.key.public_key.bits,
            algorithm=training.algorithm,
            terms=dict(training.method.terms(training.params)),
        )

    def _is_free(self, name: str) -> bool:
        return self._models.is_free("models", name) and self._checkpoints.is_free(name)

    def _train(
        self,
        training: Training,
        data: TrainingData,
        evidence: NamedBinning | None,
        contract: SignedContract,
        on_progress: Progress,
    ) -> ModelRecord:
        """Train from the last checkpoint, which is removed once the model is saved."""
        params, method = training.params, training.method
        content = digest(data.table, data.watch)
        if training.data not in (b"", content):
            raise NotAligned(
                f"the data has changed since the training of {training.model} began; train again"
            )
        checkpointer = TrainingCheckpointer(
            self._checkpoints, msgspec.structs.replace(training, data=content)
        )
        self._checkpointer = checkpointer
        alone = TrainingInputs(
            sessions={},
            alignments={},
            table=data.table,
            watch=data.watch,
            private_key=data.key,
            profile=self._client.config.crypto.profile,
            model_id=training.model,
            binning=evidence,
        )

        def joint_inputs() -> TrainingInputs:
            """Return the inputs of the joint training: new conversations, and the last checkpoint."""
            return replace(
                alone,
                sessions=self._client.sessions(data.alignments, contract),
                alignments=data.alignments,
                on_progress=on_progress,
                checkpoint=checkpointer.checkpoint,
                keep=checkpointer.keep,
            )

        trained = until_done(lambda: method.run(joint_inputs(), params))
        seconds = checkpointer.seconds
        record = ModelRecord(
            model=training.model,
            alignment=training.alignment,
            algorithm=training.algorithm,
            binning=training.binning,
            rows=int((~data.watch).sum()),
            validation_rows=int(data.watch.sum()),
            validation_fraction=training.validation_fraction,
            metric=trained.metric,
            history=trained.history,
            facts=msgspec.to_builtins(trained.facts),
            seconds=seconds,
            created=database.now(),
        )
        # Without peers there is nothing to protect: all algorithms of a model type train the same model.
        plain = ALGORITHMS.of_model_type(method.model_type.name).training or method
        self._models.save_model(record, trained.part, plain.run(alone, params).part)
        self._checkpoints.remove(training.model)
        self._checkpointer = None
        return record
