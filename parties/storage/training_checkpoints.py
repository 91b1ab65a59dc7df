"""Trainings under way at a label party: their parameters, and the state after the last round of each."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from parties.config import Config
from parties.config.files import private_directory, write_private, writing
from vfl.aggregation.table import LabelTable
from vfl.algorithms import descriptor
from vfl.algorithms.registry import ALGORITHMS
from vfl.errors import StateError

FORMAT_VERSION = 2


class Training(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training that has not ended.

    Attributes:
        model, alignment, binning, validation_fraction: as the caller chose them.
        algorithm, plain_params: its name, and the parameters of the training as plain values.
        data: digest of the rows it began with.
        seconds: wall time until the checkpoint.
        rounds: how many are done.
        checkpoint: the state after the last of them; None where the training starts again.
    """

    model: str
    alignment: str
    binning: str | None = None
    algorithm: str
    plain_params: dict[str, Any]
    validation_fraction: float
    data: bytes = b""
    seconds: float = 0.0
    rounds: int = 0
    checkpoint: bytes | None = None

    @classmethod
    def begin(cls, params: Struct, **settings: Any) -> Training:
        """Return a training that is to begin, with these parameters."""
        algorithm = ALGORITHMS.of_params(params).name
        return cls(algorithm=algorithm, plain_params=msgspec.to_builtins(params), **settings)

    @property
    def method(self) -> descriptor.Training:
        """How its algorithm trains."""
        training = ALGORITHMS.named(self.algorithm).training
        if training is None:
            raise StateError(f"the checkpoint of {self.model} is damaged; train again under another name")
        return training

    @property
    def params(self) -> Any:
        """The parameters of the training."""
        return msgspec.convert(self.plain_params, self.method.params)


class TrainingCheckpoints:
    """The files ``training/MODEL.checkpoint`` under ``[store] directory``. They depend on labels: 0600."""

    def __init__(self, config: Config) -> None:
        self._directory = config.path(config.store.directory) / "training"

    @contextmanager
    def locked(self, model: str) -> Iterator[None]:
        """Keep other processes from training the model meanwhile; the lock ends with the process.

        `remove` deletes the file once the model is saved, so a lock on a deleted file is none.

        Raises:
            StateError: another process trains it.
        """
        file = private_directory(self._directory) / f"{model}.lock"
        with writing(self._directory):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(descriptor).st_nlink:
                raise BlockingIOError
        except BlockingIOError:
            os.close(descriptor)
            raise StateError(f"model {model} is being trained by another process; wait for it") from None
        try:
            yield
        finally:
            os.close(descriptor)

    def is_free(self, model: str) -> bool:
        """Return whether no training of that name is under way."""
        return not self._file(model).exists()

    def check_new(self, model: str) -> None:
        """Raises StateError where a training of that name has rounds done already."""
        if self._file(model).exists() and (rounds := self.load(model).rounds):
            raise StateError(
                f"the training of {model} was broken off after round {rounds}; "
                f"continue with `vfl train --resume {model}`, or choose another name"
            )

    def save(self, training: Training) -> None:
        """Write the state of a training; raises StateError, with the last checkpoint as it was."""
        content = bytes([FORMAT_VERSION]) + msgspec.msgpack.encode(training)
        write_private(self._file(training.model), content)

    def load(self, model: str) -> Training:
        """Return the state of a training; raises StateError."""
        try:
            content = self._file(model).read_bytes()
        except FileNotFoundError:
            raise StateError(f"no training of {model} was broken off; {self._known()}") from None
        if content[:1] != bytes([FORMAT_VERSION]):
            raise StateError(f"the checkpoint of {model} is of another version of vfl; train again")
        try:
            return msgspec.msgpack.decode(memoryview(content)[1:], type=Training)
        except msgspec.MsgspecError:
            raise StateError(
                f"the checkpoint of {model} is damaged; train again under another name"
            ) from None

    def all(self) -> list[Training]:
        """Return the trainings under way, by the name of their model; raises StateError."""
        return [self.load(file.stem) for file in sorted(self._directory.glob("*.checkpoint"))]

    def remove(self, model: str) -> None:
        """Delete the files of a training that has ended."""
        with writing(self._directory):
            self._file(model).unlink(missing_ok=True)
            (self._directory / f"{model}.lock").unlink(missing_ok=True)

    def _file(self, model: str) -> Path:
        return self._directory / f"{model}.checkpoint"

    def _known(self) -> str:
        names = sorted(file.stem for file in self._directory.glob("*.checkpoint"))
        return f"broken off are {', '.join(names)}" if names else "none was; train with `vfl train`"


class TrainingCheckpointer:
    """A running training, whose state is on the disk after each round.

    Args:
        checkpoints: where its state is saved.
        training: its state when this process started.
    """

    def __init__(self, checkpoints: TrainingCheckpoints, training: Training) -> None:
        self._checkpoints = checkpoints
        self._training = training
        self._started = time.monotonic() - training.seconds
        checkpoints.save(training)

    @property
    def checkpoint(self) -> bytes | None:
        """The state after the last round."""
        return self._training.checkpoint

    @property
    def training(self) -> Training:
        """The state on the disk."""
        return self._training

    @property
    def seconds(self) -> float:
        """Wall time so far, of earlier processes until their last checkpoint too."""
        return round(time.monotonic() - self._started, 3)

    def keep(self, rounds: int, checkpoint: bytes) -> None:
        """Write the state after a round; raises StateError, with the last one as it was."""
        self._training = msgspec.structs.replace(
            self._training, rounds=rounds, checkpoint=checkpoint, seconds=self.seconds
        )
        self._checkpoints.save(self._training)


def digest(table: LabelTable, watch: npt.NDArray[np.bool_]) -> bytes:
    """Return a digest of the rows of a training: it continues with the same rows only."""
    hasher = hashlib.sha256()
    for text in (*table.names, *table.identifiers):
        hasher.update(len(text.encode()).to_bytes(4, "little") + text.encode())
    for array in (table.columns, table.labels, table.weights, watch):
        hasher.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return hasher.digest()
