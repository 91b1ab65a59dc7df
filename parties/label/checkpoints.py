"""Trainings under way at a label party: what was asked, and where each stands after its last tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from parties.config import Config
from parties.files import private_directory, write_private, writing
from vfl.errors import StateError
from vfl.params import LinearParams, TreeParams
from vfl.table import LabelTable
from vfl.trees.checkpoint import Checkpoint

FORMAT_VERSION = 1


class Training(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training that has not ended.

    Attributes:
        model, alignment, binning, validation_fraction: as asked.
        tree_params, linear_params: as asked, one of the two.
        data: digest of the rows it began with.
        seconds: wall time until the checkpoint.
        checkpoint: after the last tree, None before the first, and of a linear model.
    """

    model: str
    alignment: str
    binning: str | None = None
    tree_params: TreeParams | None = None
    linear_params: LinearParams | None = None
    validation_fraction: float
    data: bytes = b""
    seconds: float = 0.0
    checkpoint: Checkpoint | None = None

    @property
    def params(self) -> TreeParams | LinearParams:
        """The parameters that were asked for."""
        params = self.tree_params or self.linear_params
        if params is None:
            raise StateError(f"the checkpoint of {self.model} is damaged; train anew under another name")
        return params

    @property
    def trees(self) -> int:
        """How many trees are grown."""
        return len(self.checkpoint.trees) if self.checkpoint else 0


class Checkpoints:
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
        """Raises StateError where a training of that name has trees already."""
        if self._file(model).exists() and (trees := self.load(model).trees):
            raise StateError(
                f"the training of {model} was broken off after tree {trees}; "
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


class Underway:
    """A training at work, whose state is on the disk after each tree.

    Args:
        checkpoints: where it is kept.
        training: as it was when this process took it up.
    """

    def __init__(self, checkpoints: Checkpoints, training: Training) -> None:
        self._checkpoints = checkpoints
        self._training = training
        self._started = time.monotonic() - training.seconds
        checkpoints.save(training)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The state after the last tree."""
        return self._training.checkpoint

    @property
    def training(self) -> Training:
        """The training as it is on the disk."""
        return self._training

    @property
    def seconds(self) -> float:
        """Wall time so far, of earlier processes until their last checkpoint too."""
        return round(time.monotonic() - self._started, 3)

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the state after a tree; raises StateError, with the last one as it was."""
        self._training = msgspec.structs.replace(self._training, checkpoint=checkpoint, seconds=self.seconds)
        self._checkpoints.save(self._training)


def digest(table: LabelTable, watch: npt.NDArray[np.bool_]) -> bytes:
    """Return a digest of the rows of a training: it goes on with the same ones only."""
    made = hashlib.sha256()
    for text in (*table.names, *table.identifiers):
        made.update(len(text.encode()).to_bytes(4, "little") + text.encode())
    for array in (table.columns, table.labels, table.weights, watch):
        made.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return made.digest()
