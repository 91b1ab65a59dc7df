"""What a label party fits with its peers: bins with weights of evidence, and models."""

from __future__ import annotations

import time

import msgspec

from parties import database, rows
from parties.archive import BinningRecord, ModelRecord
from parties.checkpoints import Checkpoints, Training, Underway, digest
from parties.config import Config
from parties.connected import ConnectedParty
from parties.customers import fitting
from parties.keys import private_key
from parties.names import chosen
from parties.progress import Progress, silent
from parties.retry import until_done
from parties.training import Job, train_linear, train_trees, validation_seed
from vfl.errors import NotAligned, ParameterError, StateError
from vfl.linear.design import NamedBinning
from vfl.params import LinearParams, TreeParams
from vfl.scorecard.label_party import fit_binning
from vfl.scorecard.model import LabelBinning
from vfl.scorecard.params import BinningParams


class Trainer(ConnectedParty):
    """A label party that bins and trains; see `parties.connected.ConnectedParty`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._checkpoints = Checkpoints(config)

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
        _check_fraction(validation_fraction)
        name = chosen("binning", name)
        self._archive.check_new_binning(name)
        record, alignments = self._aligned(alignment)
        table = fitting(record, alignments, rows.load(self._config))
        fit = ~rows.drawn(table.identifiers, validation_fraction, 0)
        key = private_key(self._config)
        started = time.monotonic()
        made = until_done(
            lambda: fit_binning(
                self._sessions(alignments),
                alignments,
                table,
                params or BinningParams(),
                key,
                binning_id=name,
                fit=fit,
                profile=self._config.crypto.profile,
                on_progress=on_progress,
            )
        )
        found = BinningRecord(
            binning=name,
            alignment=record.alignment,
            rows=int(fit.sum()),
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
        _check_fraction(validation_fraction)
        name = chosen("model", name)
        self._archive.check_new_model(name)
        params = params or self._config.model
        asked = Training(
            model=name,
            alignment=self._aligned(alignment)[0].alignment,
            binning=binning,
            tree_params=params if isinstance(params, TreeParams) else None,
            linear_params=params if isinstance(params, LinearParams) else None,
            validation_fraction=validation_fraction,
        )
        with self._checkpoints.locked(name):
            self._checkpoints.check_new(name)
            return self._train(asked, on_progress)

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
            return self._train(self._checkpoints.load(model), on_progress)

    def trees_kept(self, model: str) -> int:
        """Return how many trees are kept of a training that was broken off; 0 where none was."""
        try:
            return self._checkpoints.load(model).trees
        except StateError:
            return 0

    def _train(self, training: Training, on_progress: Progress) -> ModelRecord:
        """Train from where a training stands; what is kept of it goes once the model is saved."""
        name, params, fraction = training.model, training.params, training.validation_fraction
        bins = self._binning(training.binning, params, fraction)
        record, alignments = self._aligned(training.alignment)
        table = fitting(record, alignments, rows.load(self._config))
        watch = rows.drawn(table.identifiers, fraction, validation_seed(params))
        data = digest(table, watch)
        if training.data not in (b"", data):
            raise NotAligned(f"the data has changed since the training of {name} began; train anew")
        key = private_key(self._config)  # made when first needed, which is no part of training
        underway = Underway(self._checkpoints, msgspec.structs.replace(training, data=data))
        job = Job(
            lambda: self._sessions(alignments),
            alignments,
            table,
            watch,
            key,
            self._config.crypto.profile,
            underway,
            on_progress,
        )
        asked = ModelRecord(
            model=name,
            alignment=record.alignment,
            binning=training.binning,
            rows=int((~watch).sum()),
            validation_rows=int(watch.sum()),
            validation_fraction=fraction,
            trees=0,
            metric="",
            history=[],
            importances={},
            seconds=0.0,
            created=database.now(),
        )
        trained = (
            train_trees(job, params, asked)
            if isinstance(params, TreeParams)
            else train_linear(job, params, bins, asked)
        )
        self._archive.save_model(trained.record, trained.share, trained.bank_only)
        self._checkpoints.remove(name)
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


def _check_fraction(validation_fraction: float) -> None:
    if not 0 <= validation_fraction <= 0.9:
        raise ParameterError(f"validation_fraction={validation_fraction} (allowed: 0 to 0.9)")
