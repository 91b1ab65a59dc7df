"""How a label party trains models with its peers, under contracts, and goes on after it was broken off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
from msgspec import Struct

from parties.contracts.client import SignedContract
from parties.data import rows
from parties.keys.paillier import private_key
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
        aligned, alignments: the alignment as it is on record, and by peer.
        table: the rows that take part.
        watch: bool [n], those kept out for validation.
        key: of the label party's cipher.
    """

    aligned: AlignmentRecord
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
        record, alignments = client.aligned(alignment)
        table = taking_part(record, alignments, rows.load(client.config))
        watch = rows.drawn(table.identifiers, validation_fraction, seed)
        key = private_key(client.config)  # made when first needed, which is no part of training
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
            validation_fraction: fraction of rows, 0 to 0.9, kept out of training to watch the metric on.

        Raises:
            ParameterError: the validation fraction is out of range, or does not fit the binning.
            NotAligned: the data has changed since it was aligned.
            DataError, StateError, KeyFileError, PeerError: as their names say.
        """
        given, name = name, chosen("model", name)
        self._models.check_new_model(name)
        self._checkpoints.check_new(name)
        asked = Training.of(
            params or self._client.config.model,
            model=name,
            alignment=self._client.aligned(alignment)[0].alignment,
            binning=binning,
            validation_fraction=validation_fraction,
        )
        data, evidence = self._data_of(asked)
        contract = self._contract(asked, data, self._is_free if given is None else None)
        asked = msgspec.structs.replace(asked, model=contract.terms.model or name)
        with self._checkpoints.locked(asked.model):
            self._models.check_new_model(asked.model)  # by a process that had the lock until now
            self._checkpoints.check_new(asked.model)
            return self._train(asked, data, evidence, contract, on_progress)

    def resume(self, model: str, *, on_progress: Progress = silent) -> ModelRecord:
        """Go on with a training that was broken off, to the model that it would have made.

        Raises:
            StateError: no such training, or another process is at it.
            NotAligned: the data has changed since it began.
            PeerError, KeyFileError: as :meth:`train`.
        """
        model = chosen("model", model)
        if self._models.has_model(model):  # it was broken off after all was done
            self._checkpoints.remove(model)
            return self._models.load_record(model)
        with self._checkpoints.locked(model):
            asked = self._checkpoints.load(model)
            data, evidence = self._data_of(asked)
            return self._train(asked, data, evidence, self._contract(asked, data, None), on_progress)

    @property
    def broken_off(self) -> Training | None:
        """The training that this party was at last, where it did not end and can go on."""
        return self._checkpointer.training if self._checkpointer else None

    def _data_of(self, asked: Training) -> tuple[TrainingData, NamedBinning | None]:
        """Return what a training works on, and its binning; raises as :meth:`train`."""
        evidence = self._evidence(asked)
        seed = asked.how.validation_seed(asked.params)
        return TrainingData.load(self._client, asked.alignment, asked.validation_fraction, seed), evidence

    def _evidence(self, asked: Training) -> NamedBinning | None:
        if asked.binning is None:
            return None
        if not asked.how.takes_binning:
            raise ParameterError(
                f"{asked.algorithm} bin columns for themselves: leave the binning out, or train a linear model"
            )
        record, content = self._models.load_binning(asked.binning)
        if record.validation_fraction != asked.validation_fraction:
            raise ParameterError(
                f"binning {asked.binning} kept out {record.validation_fraction:g} of the rows; train with the "
                "same validation fraction, or the labels of validation rows are in its weights of evidence"
            )
        return named_binning(asked.binning, content)

    def _contract(
        self, asked: Training, data: TrainingData, free: Callable[[str], bool] | None
    ) -> SignedContract:
        return self._client.contracts.obtain(
            "train",
            data.alignments,
            free=free,
            alignment=asked.alignment,
            model=asked.model,
            binning=asked.binning,
            rows=len(data.table.labels),
            key_bits=data.key.public_key.bits,
            algorithm=asked.algorithm,
            terms=dict(asked.how.terms(asked.params)),
        )

    def _is_free(self, name: str) -> bool:
        return self._models.is_free("models", name) and self._checkpoints.is_free(name)

    def _train(
        self,
        asked: Training,
        data: TrainingData,
        evidence: NamedBinning | None,
        contract: SignedContract,
        on_progress: Progress,
    ) -> ModelRecord:
        """Train from where a training stands; what is kept of it goes once the model is saved."""
        params, how = asked.params, asked.how
        content = digest(data.table, data.watch)
        if asked.data not in (b"", content):
            raise NotAligned(f"the data has changed since the training of {asked.model} began; train anew")
        checkpointer = TrainingCheckpointer(self._checkpoints, msgspec.structs.replace(asked, data=content))
        self._checkpointer = checkpointer
        alone = TrainingInputs(
            sessions={},
            alignments={},
            table=data.table,
            watch=data.watch,
            private_key=data.key,
            profile=self._client.config.crypto.profile,
            model_id=asked.model,
            binning=evidence,
        )

        def together() -> TrainingInputs:
            """What the joint training is given: new conversations, and where it stands by now."""
            return replace(
                alone,
                sessions=self._client.sessions(data.alignments, contract),
                alignments=data.alignments,
                on_progress=on_progress,
                checkpoint=checkpointer.checkpoint,
                keep=checkpointer.keep,
            )

        trained = until_done(lambda: how.run(together(), params))
        seconds = checkpointer.seconds
        record = ModelRecord(
            model=asked.model,
            alignment=asked.alignment,
            algorithm=asked.algorithm,
            binning=asked.binning,
            rows=int((~data.watch).sum()),
            validation_rows=int(data.watch.sum()),
            validation_fraction=asked.validation_fraction,
            metric=trained.metric,
            history=trained.history,
            facts=msgspec.to_builtins(trained.facts),
            seconds=seconds,
            created=database.now(),
        )
        # With nobody to keep anything from, all algorithms of a kind of model are the same.
        usual = ALGORITHMS.of_model_type(how.model_type.name).training or how
        self._models.save_model(record, trained.part, usual.run(alone, params).part)
        self._checkpoints.remove(asked.model)
        self._checkpointer = None
        return record
