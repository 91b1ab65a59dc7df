"""What a label party fits with its peers: bins with weights of evidence, and models."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec

from parties import database, rows
from parties.config import Config
from parties.contracts.agreement import Agreed
from parties.keys.paillier import private_key
from parties.label.archive import BinningRecord, ModelRecord
from parties.label.checkpoints import Checkpoints, Training, Underway, digest
from parties.label.connected import ConnectedParty
from parties.label.customers import fitting
from parties.label.training import Data, Job, train_linear, train_trees, validation_seed
from parties.link.retry import until_done
from parties.names import chosen
from parties.progress import Progress, silent
from vfl.errors import NotAligned, ParameterError
from vfl.linear.design import NamedBinning
from vfl.params import LinearParams, TreeParams
from vfl.scorecard.label_party import fit_binning
from vfl.scorecard.model import LabelBinning
from vfl.scorecard.params import BinningParams


class Trainer(ConnectedParty):
    """A label party that bins and trains; see `parties.label.connected.ConnectedParty`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._checkpoints = Checkpoints(config)
        self._underway: Underway | None = None

    def bin(
        self,
        *,
        alignment: str | None = None,
        name: str | None = None,
        params: BinningParams | None = None,
        validation_fraction: float = 0.0,
        on_progress: Progress = silent,
    ) -> tuple[BinningRecord, LabelBinning]:
        """Bin every party's columns by the labels; each party keeps its part under the name.

        Args:
            alignment: the newest one of ``[data]`` by default.
            name: of the binning; a fresh one by default.
            validation_fraction: share of rows, 0 to 0.9, that are not counted: a model on this binning keeps
                out the same ones.

        Raises:
            as :meth:`train`.
        """
        given, name = name, chosen("binning", name)
        self._archive.check_new_binning(name)
        data = self._data(alignment, validation_fraction, seed=0)
        agreed = self._agreements.reach(
            "bin",
            data.alignments,
            free=partial(self._archive.is_free, "binnings") if given is None else None,
            alignment=data.aligned.alignment,
            binning=name,
            rows=len(data.table.labels),
            key_bits=data.key.public_key.bits,
        )
        name = agreed.contract.binning or name
        started = time.monotonic()
        made = until_done(
            lambda: fit_binning(
                self._sessions(data.alignments, agreed),
                data.alignments,
                data.table,
                params or BinningParams(),
                data.key,
                binning_id=name,
                fit=~data.watch,
                profile=self._config.crypto.profile,
                on_progress=on_progress,
            )
        )
        found = BinningRecord(
            binning=name,
            alignment=data.aligned.alignment,
            rows=int((~data.watch).sum()),
            validation_fraction=validation_fraction,
            seconds=round(time.monotonic() - started, 3),
            created=database.now(),
        )
        self._archive.save_binning(found, made)
        return found, made

    def train(
        self,
        *,
        alignment: str | None = None,
        name: str | None = None,
        params: TreeParams | LinearParams | None = None,
        binning: str | None = None,
        validation_fraction: float = 0.0,
        on_progress: Progress = silent,
    ) -> ModelRecord:
        """Train a model with the peers of an alignment, then one of this party's columns alone.

        The second one has the same rows and parameters; scores fall back to it where peers are absent.

        Args:
            alignment: the newest one of ``[data]`` by default.
            name: of the model; a fresh one by default.
            params: those of ``[model]`` by default; `LinearParams` make a linear model.
            binning: in whose weights of evidence the columns of a linear model take part.
            validation_fraction: share of rows, 0 to 0.9, kept out of training to watch the metric on.

        Raises:
            ParameterError: the validation fraction is out of range, or does not fit the binning.
            NotAligned: the data has changed since it was aligned.
            DataError, StateError, KeyFileError, PeerError: as their names say.
        """
        given, name = name, chosen("model", name)
        self._archive.check_new_model(name)
        self._checkpoints.check_new(name)
        params = params or self._config.model
        asked = Training(
            model=name,
            alignment=self._aligned(alignment)[0].alignment,
            binning=binning,
            tree_params=params if isinstance(params, TreeParams) else None,
            linear_params=params if isinstance(params, LinearParams) else None,
            validation_fraction=validation_fraction,
        )
        data, bins = self._data_of(asked)
        agreed = self._agree(asked, data, self._model_is_free if given is None else None)
        asked = msgspec.structs.replace(asked, model=agreed.contract.model or name)
        with self._checkpoints.locked(asked.model):
            self._archive.check_new_model(asked.model)  # by a process that had the lock until now
            self._checkpoints.check_new(asked.model)
            return self._train(asked, data, bins, agreed, on_progress)

    def resume(self, model: str, *, on_progress: Progress = silent) -> ModelRecord:
        """Go on with a training that was broken off, to the model that it would have made.

        Raises:
            StateError: no such training, or another process is at it.
            NotAligned: the data has changed since it began.
            PeerError, KeyFileError: as :meth:`train`.
        """
        model = chosen("model", model)
        if self._archive.has_model(model):  # it was broken off after all was done
            self._checkpoints.remove(model)
            return self._archive.load_record(model)
        with self._checkpoints.locked(model):
            asked = self._checkpoints.load(model)
            data, bins = self._data_of(asked)
            return self._train(asked, data, bins, self._agree(asked, data, None), on_progress)

    @property
    def broken_off(self) -> Training | None:
        """The training that this party was at last, where it did not end and can go on."""
        return self._underway.training if self._underway else None

    def _data(self, alignment: str | None, validation_fraction: float, seed: int) -> Data:
        """Return what a job works on; raises as :meth:`train`."""
        if not 0 <= validation_fraction <= 0.9:
            raise ParameterError(f"validation_fraction={validation_fraction} (allowed: 0 to 0.9)")
        record, alignments = self._aligned(alignment)
        table = fitting(record, alignments, rows.load(self._config))
        watch = rows.drawn(table.identifiers, validation_fraction, seed)
        key = private_key(self._config)  # made when first needed, which is no part of training
        return Data(record, alignments, table, watch, key)

    def _data_of(self, asked: Training) -> tuple[Data, NamedBinning | None]:
        """Return what a training works on, and its binning; raises as :meth:`train`."""
        bins = self._binning(asked.binning, asked.params, asked.validation_fraction)
        seed = validation_seed(asked.params)
        return self._data(asked.alignment, asked.validation_fraction, seed), bins

    def _agree(self, asked: Training, data: Data, free: Callable[[str], bool] | None) -> Agreed:
        params = asked.params
        terms = (
            {"algorithm": "trees", "trees": params.n_estimators, "max_depth": params.max_depth}
            if isinstance(params, TreeParams)
            else {
                "algorithm": "shared" if params.protocol == "shared" else "linear",
                "rounds": params.max_iter,
                "binning": asked.binning,
            }
        )
        return self._agreements.reach(
            "train",
            data.alignments,
            free=free,
            alignment=asked.alignment,
            model=asked.model,
            rows=len(data.table.labels),
            key_bits=data.key.public_key.bits,
            **terms,
        )

    def _model_is_free(self, name: str) -> bool:
        return self._archive.is_free("models", name) and self._checkpoints.is_free(name)

    def _train(
        self,
        asked: Training,
        data: Data,
        bins: NamedBinning | None,
        agreed: Agreed,
        on_progress: Progress,
    ) -> ModelRecord:
        """Train from where a training stands; what is kept of it goes once the model is saved."""
        params = asked.params
        content = digest(data.table, data.watch)
        if asked.data not in (b"", content):
            raise NotAligned(f"the data has changed since the training of {asked.model} began; train anew")
        self._underway = Underway(self._checkpoints, msgspec.structs.replace(asked, data=content))
        job = Job(
            lambda: self._sessions(data.alignments, agreed),
            data,
            self._config.crypto.profile,
            self._underway,
            on_progress,
        )
        record = ModelRecord(
            model=asked.model,
            alignment=asked.alignment,
            binning=asked.binning,
            rows=int((~data.watch).sum()),
            validation_rows=int(data.watch.sum()),
            validation_fraction=asked.validation_fraction,
            trees=0,
            metric="",
            history=[],
            importances={},
            seconds=0.0,
            created=database.now(),
        )
        trained = (
            train_trees(job, params, record)
            if isinstance(params, TreeParams)
            else train_linear(job, params, bins, record)
        )
        self._archive.save_model(trained.record, trained.share, trained.bank_only)
        self._checkpoints.remove(asked.model)
        self._underway = None
        return trained.record

    def _binning(
        self, name: str | None, params: TreeParams | LinearParams, validation_fraction: float
    ) -> NamedBinning | None:
        if name is None:
            return None
        if isinstance(params, TreeParams):
            raise ParameterError("trees bin for themselves: leave the binning out, or train a linear model")
        record, binning = self._archive.load_binning(name)
        if record.validation_fraction != validation_fraction:
            raise ParameterError(
                f"binning {name} kept out {record.validation_fraction:g} of the rows; train with the same "
                "validation fraction, or the labels of validation rows are in its weights of evidence"
            )
        return NamedBinning(name, binning)
