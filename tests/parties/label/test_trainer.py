"""What a training starts from, before any message: data as they were aligned, and a binning that fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parties.config import Config
from parties.data.rows import load, population
from parties.label.client import LabelClient
from parties.label.trainer import Trainer, TrainingData
from parties.storage.model_store import AlignmentRecord, BinningRecord
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.paillier import PrivateKey
from vfl.errors import NotAligned, ParameterError, StateError
from vfl.linear_model.params import LinearParams
from vfl.psi.alignment import Alignment


@pytest.fixture
def client(bank: Config, bureau: Config, join: Any, private_key: PrivateKey) -> Iterator[LabelClient]:
    """A bank that has aligned its rows with a bureau that is not there."""
    joined = join(bank, bureau, "https://127.0.0.1:9")
    client = LabelClient(joined, open_key=lambda config: private_key)
    keys = load(bank).identifiers.keys
    record = AlignmentRecord(
        alignment="a1", mode="left", source=client.config.data.source, rows=200, common={"bureau": 1},
        population=population(keys), created="2026-01-01",
    )  # fmt: skip
    client.models.save_alignment(
        record, {"bureau": Alignment.fix("a1", "bureau", "left", b"k" * 32, ["C100"], [100])}
    )
    yield client
    client.close()


def test_data_are_those_that_were_aligned(client: LabelClient, private_key: PrivateKey) -> None:
    """With the validation rows that the fraction and the seed draw."""
    data = TrainingData.load(client, "a1", 0.3, seed=1)
    assert data.record.alignment == "a1"
    assert data.key is private_key
    assert 30 < data.watch.sum() < 90
    assert not TrainingData.load(client, "a1", 0.0, seed=1).watch.any()
    with pytest.raises(ParameterError, match=r"validation_fraction=0\.95 \(allowed: 0 to 0\.9\)"):
        TrainingData.load(client, "a1", 0.95, seed=1)
    source = Path(client.config.data.source)
    source.write_text(source.read_text() + " c999,1,0\n")
    with pytest.raises(NotAligned, match="align again"):
        TrainingData.load(client, "a1", 0.0, seed=1)


def test_a_binning_has_to_fit(client: LabelClient) -> None:
    """Trees take none, and validation rows must not be in its weights of evidence."""
    record = BinningRecord(
        binning="b1", alignment="a1", rows=200, validation_fraction=0.2, seconds=1.0, created="2026-01-01"
    )
    client.models.save_binning(record, b"{}")
    trainer = Trainer(client)
    with pytest.raises(ParameterError, match="trees bin columns for themselves"):
        trainer.train(alignment="a1", binning="b1", params=TreeParams())
    with pytest.raises(ParameterError, match=r"binning b1 left out 0\.2 of the rows"):
        trainer.train(alignment="a1", binning="b1", params=LinearParams(standardise=False))
    with pytest.raises(StateError, match="binning b2 is not here"):
        trainer.train(alignment="a1", binning="b2", params=LinearParams(standardise=False))
    assert trainer.broken_off is None


def test_only_a_training_that_was_broken_off_is_resumed(client: LabelClient) -> None:
    """Any other name is refused."""
    with pytest.raises(StateError, match="no training of m1 was broken off"):
        Trainer(client).resume("m1")
