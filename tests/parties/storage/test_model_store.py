"""The label party's files: whole, under one name each, and refused where they were changed."""

from __future__ import annotations

import msgspec
import pytest

from parties.config import Config
from parties.storage.model_store import (
    PART,
    AlignmentRecord,
    BinningRecord,
    ModelRecord,
    ModelStore,
    details,
    headline,
)
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import SplitTable, TreesLabelPart
from vfl.errors import StateError
from vfl.psi.alignment import Alignment


@pytest.fixture
def store(bank: Config) -> ModelStore:
    return ModelStore(bank)


def alignment(name: str, created: str, **changes: object) -> AlignmentRecord:
    record = AlignmentRecord(
        alignment=name,
        mode="left",
        source="rows.csv",
        rows=3,
        common={"bureau": 2},
        population="p1",
        created=created,
    )
    return msgspec.structs.replace(record, **changes)


def save(store: ModelStore, record: AlignmentRecord) -> dict[str, Alignment]:
    made = {"bureau": Alignment.fix(record.alignment, "bureau", "left", b"k" * 32, ["C1", "C2"], [0, 2])}
    store.save_alignment(record, made)
    return made


def test_an_alignment_comes_back(store: ModelStore) -> None:
    """With its record; its name is taken from then on."""
    record = alignment("a1", "2026-01-01")
    assert store.is_free("alignments", "a1")
    made = save(store, record)
    assert store.load_alignment("a1") == (record, made)
    assert not store.is_free("alignments", "a1")
    with pytest.raises(StateError, match="alignment a1 exists already"):
        store.check_new_alignment("a1")
    with pytest.raises(StateError, match="alignment a2 is not here; see `vfl align`"):
        store.load_alignment("a2")


def test_the_newest_alignment_of_a_source_or_a_population_is_found(store: ModelStore) -> None:
    """Of a population only left alignments with all of the peers count."""
    with pytest.raises(StateError, match="run `vfl align` first"):
        store.latest_alignment("rows.csv")
    for record in (
        alignment("a1", "2026-01-01"),
        alignment("a2", "2026-01-03", mode="inner"),
        alignment("a3", "2026-01-02", source="other.csv", population="p2"),
    ):
        made = save(store, record)
    assert store.latest_alignment("rows.csv") == "a2"
    assert store.alignment_of("p1", ["bureau"]) == "a1"
    assert store.alignment_of("p1", ["bureau", "telco"]) is None
    assert list(store.fingerprints("bureau", 2)) == ["a3", "a2"]
    assert store.fingerprints("bureau", 2)["a3"] == made["bureau"].fingerprint


def test_a_half_saved_alignment_does_not_count(bank: Config, store: ModelStore) -> None:
    """Without its record, which is written last, its name is usable again."""
    directory = bank.directory / "state/alignments/a1"
    directory.mkdir(parents=True)
    (directory / "bureau.alignment").write_bytes(b"half")
    store.check_new_alignment("a1")
    made = save(store, alignment("a1", "2026-01-01"))
    assert store.load_alignment("a1")[1] == made


def test_a_binning_comes_back(store: ModelStore) -> None:
    """Its record and its content as it was saved."""
    record = BinningRecord(
        binning="b1", alignment="a1", rows=3, validation_fraction=0.0, seconds=1.0, created="2026-01-01"
    )
    store.save_binning(record, b"{}")
    assert store.load_binning("b1") == (record, b"{}")
    with pytest.raises(StateError, match="binning b1 exists already"):
        store.check_new_binning("b1")


@pytest.fixture
def model(store: ModelStore) -> TreesLabelPart:
    part = TreesLabelPart(
        params=TreeParams(), base_score=0.5, columns=["age"], owners=[], peers=[],
        splits=SplitTable(feature=[], threshold=[], default_left=[]), trees=[],
    )  # fmt: skip
    record = ModelRecord(
        model="m1", alignment="a1", algorithm="trees", rows=3, validation_rows=0, validation_fraction=0.0,
        metric="logloss", history=[0.5], facts={"trees": 7, "importances": {"age": 1.0}}, seconds=1.0,
        created="2026-01-01",
    )  # fmt: skip
    store.save_model(record, part, part)
    return part


def test_a_model_comes_back_and_is_described(store: ModelStore, model: TreesLabelPart) -> None:
    """Its parts and its record, which its model type puts into words."""
    record, part = store.load_model("m1")
    assert part == model == store.load_bank_only("m1")
    assert store.has_model("m1")
    assert "7 trees" in headline(record)
    assert isinstance(details(record), list)
    with pytest.raises(StateError, match="known are m1"):
        store.load_record("m2")


def test_a_changed_part_is_not_used(store: ModelStore, model: TreesLabelPart) -> None:
    """A model is what was trained, byte for byte, or it is refused."""
    file = store.models / "m1" / PART
    file.write_bytes(file.read_bytes().replace(b"0.5", b"0.6"))
    with pytest.raises(StateError, match=f"model m1 is not as it was trained; restore its {PART}"):
        store.load_model("m1")
