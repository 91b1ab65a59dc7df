"""Checkpoints of trainings: written whole, read again, locked by one process, and gone when they end."""

from __future__ import annotations

import numpy as np
import pytest

from parties.config import Config
from parties.storage.training_checkpoints import (
    Training,
    TrainingCheckpointer,
    TrainingCheckpoints,
    digest,
)
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import StateError

PARAMS = TreeParams(n_estimators=7, max_depth=2)


@pytest.fixture
def checkpoints(bank: Config) -> TrainingCheckpoints:
    return TrainingCheckpoints(bank)


def begin(model: str = "m1") -> Training:
    return Training.begin(PARAMS, model=model, alignment="a1", validation_fraction=0.2)


def test_a_training_comes_back_with_its_parameters(checkpoints: TrainingCheckpoints) -> None:
    """Algorithm, parameters, rounds and the state after the last round."""
    checkpointer = TrainingCheckpointer(checkpoints, begin())
    assert checkpointer.checkpoint is None
    checkpointer.keep(3, b"state")
    training = checkpoints.load("m1")
    assert (training.algorithm, training.params, training.rounds) == ("trees", PARAMS, 3)
    assert training.checkpoint == checkpointer.checkpoint == b"state"
    assert training.seconds >= 0
    assert checkpointer.training == training


def test_trainings_under_way_are_listed_until_they_are_removed(checkpoints: TrainingCheckpoints) -> None:
    """By model; a removed one leaves no file, and its name is free."""
    for model in ("m2", "m1"):
        checkpoints.save(begin(model))
    assert [training.model for training in checkpoints.all()] == ["m1", "m2"]
    assert not checkpoints.is_free("m1")
    checkpoints.remove("m1")
    assert [training.model for training in checkpoints.all()] == ["m2"]
    assert checkpoints.is_free("m1")
    with pytest.raises(StateError, match="no training of m1 was broken off; broken off are m2"):
        checkpoints.load("m1")


def test_a_name_with_rounds_is_taken(checkpoints: TrainingCheckpoints) -> None:
    """Without a round there is nothing to lose, and the training begins again."""
    checkpointer = TrainingCheckpointer(checkpoints, begin())
    checkpoints.check_new("m1")
    checkpointer.keep(1, b"state")
    with pytest.raises(StateError, match="broken off after round 1; continue with `vfl train --resume m1`"):
        checkpoints.check_new("m1")


def test_a_model_is_locked_by_one_process(checkpoints: TrainingCheckpoints) -> None:
    """The lock ends with its block."""
    with checkpoints.locked("m1"), pytest.raises(StateError, match="trained by another process"):
        checkpoints.locked("m1").__enter__()
    with checkpoints.locked("m1"):
        pass


@pytest.mark.parametrize(("content", "text"), [(b"\x01old", "another version"), (b"\x02\xc1", "is damaged")])
def test_a_checkpoint_that_cannot_be_read_is_refused(
    bank: Config, checkpoints: TrainingCheckpoints, content: bytes, text: str
) -> None:
    """Another version and damage have each their remedy."""
    checkpoints.save(begin())
    (bank.directory / "state/training/m1.checkpoint").write_bytes(content)
    with pytest.raises(StateError, match=text):
        checkpoints.load("m1")


def test_the_digest_of_rows_changes_with_each_of_them() -> None:
    """Names, keys, columns, labels and validation rows count; the same rows have the same digest."""
    columns, labels = np.ones((2, 1), np.float32), np.array([0, 1], np.float32)
    watch = np.array([True, False])
    table = LabelTable(["C1", "C2"], ["age"], columns, labels)
    others = [
        (LabelTable(["C1", "C3"], ["age"], columns, labels), watch),
        (LabelTable(["C1", "C2"], ["aged"], columns, labels), watch),
        (LabelTable(["C1", "C2"], ["age"], columns * 2, labels), watch),
        (LabelTable(["C1", "C2"], ["age"], columns, 1 - labels), watch),
        (table, ~watch),
    ]
    assert digest(table, watch) == digest(table, watch.copy())
    assert len({digest(table, watch), *(digest(*other) for other in others)}) == 6
