"""Trainings under way at a label party: what was asked, and where each stands after its last round."""

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
        model, alignment, binning, validation_fraction: as asked.
        algorithm, asked_params: as asked.
        data: digest of the rows it began with.
        seconds: wall time until the checkpoint.
        rounds: how many are done.
        checkpoint: where it stands after the last of them; None where it begins again.
    """

    model: str
    alignment: str
    binning: str | None = None
    algorithm: str
    asked_params: dict[str, Any]
    validation_fraction: float
    data: bytes = b""
    seconds: float = 0.0
    rounds: int = 0
    checkpoint: bytes | None = None

    @classmethod
    def of(cls, params: Struct, **asked: Any) -> Training:
        """Return a training that is to begin, with these parameters."""
        algorithm = ALGORITHMS.of_params(params).name
        return cls(algorithm=algorithm, asked_params=msgspec.to_builtins(params), **asked)

    @property
    def how(self) -> descriptor.Training:
        """How its algorithm trains."""
        training = ALGORITHMS.named(self.algorithm).training
        if training is None:
            raise StateError(f"the checkpoint of {self.model} is damaged; train anew under another name")
        return training

    @property
    def params(self) -> Any:
        """The parameters that were asked for."""
        return msgspec.convert(self.asked_params, self.how.params)


class TrainingCheckpoints:
    """The files ``training/MODEL.checkpoint`` under ``[store] directory``. They tell of labels: 0600."""

    def __init__(self, config: Config) -> None:
        self._directory = config.path(config.store.directory) / "training"

    @contextmanager
    def locked(self, model: str) -> Iterator[None]:
        """Keep other processes from training the model meanwhile; the lock ends with the process.

        The file goes once the model is there (`remove`), so a lock on one that went meanwhile is none.

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
                f"go on with `vfl train --resume {model}`, or choose another name"
            )

    def save(self, training: Training) -> None:
        """Write where a training stands; raises StateError, with the last checkpoint as it was."""
        content = bytes([FORMAT_VERSION]) + msgspec.msgpack.encode(training)
        write_private(self._file(training.model), content)

    def load(self, model: str) -> Training:
        """Return where a training stands; raises StateError."""
        try:
            content = self._file(model).read_bytes()
        except FileNotFoundError:
            raise StateError(f"no training of {model} was broken off; {self._known()}") from None
        if content[:1] != bytes([FORMAT_VERSION]):
            raise StateError(f"the checkpoint of {model} is of another version of vfl; train anew")
        try:
            return msgspec.msgpack.decode(memoryview(content)[1:], type=Training)
        except msgspec.MsgspecError:
            raise StateError(f"the checkpoint of {model} is damaged; train anew under another name") from None

    def remove(self, model: str) -> None:
        """Forget a training that has ended."""
        with writing(self._directory):
            self._file(model).unlink(missing_ok=True)
            (self._directory / f"{model}.lock").unlink(missing_ok=True)

    def _file(self, model: str) -> Path:
        return self._directory / f"{model}.checkpoint"

    def _known(self) -> str:
        names = sorted(file.stem for file in self._directory.glob("*.checkpoint"))
        return f"broken off are {', '.join(names)}" if names else "none was; train with `vfl train`"


class TrainingCheckpointer:
    """A training at work, whose state is on the disk after each round.

    Args:
        checkpoints: where it is kept.
        training: as it was when this process took it up.
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
        """The training as it is on the disk."""
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
    """Return a digest of the rows of a training: it goes on with the same ones only."""
    made = hashlib.sha256()
    for text in (*table.names, *table.identifiers):
        made.update(len(text.encode()).to_bytes(4, "little") + text.encode())
    for array in (table.columns, table.labels, table.weights, watch):
        made.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return made.digest()
