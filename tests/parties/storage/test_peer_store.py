"""A feature party's files: one label party's are not another's, and data that changed is noticed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import numpy as np
import pytest

from parties.config import Config
from parties.data import rows
from parties.data.rows import Source
from parties.storage.peer_store import PeerStore
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.errors import NotAligned, StateError
from vfl.psi.alignment import Alignment

SHARE = TreesFeaturePart(
    columns=["balance", "delays"], splits=SplitTable(feature=[1], threshold=[0.5], default_left=[True])
)


def alignment(*keys: str) -> Alignment:
    return Alignment.fix("a1", "bank", "left", b"k" * 32, list(keys))


@pytest.fixture
def store(bureau: Config) -> PeerStore:
    return PeerStore(bureau, "bank", Source(bureau))


def test_what_is_saved_comes_back_to_the_same_peer_only(bureau: Config, store: PeerStore) -> None:
    """Alignments and parts are found again under their peer, and under no other."""
    store.save_alignment(alignment("C050"))
    store.save_part("m1", SHARE)
    assert store.load_alignment("a1") == alignment("C050")
    assert store.load_part("m1") == SHARE
    other = PeerStore(bureau, "other", Source(bureau))
    assert not other.has("alignment", "a1")
    assert not other.has("part", "m1")
    with pytest.raises(StateError, match="alignment a1 is not here"):
        other.load_alignment("a1")
    with pytest.raises(StateError, match="part of model m1 is not here"):
        other.load_part("m1")


def test_every_file_is_private(bureau: Config, store: PeerStore) -> None:
    """What names customers or belongs to a model can be read by its owner only."""
    store.save_alignment(alignment("C050"))
    store.save_part("m1", SHARE)
    files = [path for path in (bureau.directory / "state").rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in files} == {0o700}


def test_nothing_in_use_is_overwritten(store: PeerStore) -> None:
    """A second alignment or part of one name is refused; the first stays. What nobody used makes way."""
    store.save_alignment(alignment("C049"))
    store.save_alignment(alignment("C050"))
    store.use("alignment", "a1")
    with pytest.raises(StateError, match="exists already"):
        store.save_alignment(alignment("C051"))
    assert store.load_alignment("a1") == alignment("C050")
    other = TreesFeaturePart(columns=["balance", "delays"], splits=SHARE.splits.first(0))
    store.save_part("m1", other)
    store.save_part("m1", SHARE)  # trained again by a peer that did not get the end
    store.use("part", "m1")
    with pytest.raises(StateError, match="exists already"):
        store.save_part("m1", other)
    assert store.load_part("m1") == SHARE


def test_a_draft_is_a_log(store: PeerStore) -> None:
    """Entries come back in order, a new head begins anew, and there is none before one was begun, or after
    the model is in use.
    """
    assert store.load_journal("m1") == []
    store.start_journal("m1", b"head")
    store.append_journal("m1", b"first")
    store.append_journal("m1", b"second")
    assert store.load_journal("m1") == [b"head", b"first", b"second"]
    store.start_journal("m1", b"other")
    assert store.load_journal("m1") == [b"other"]
    store.use("part", "m1")
    assert store.load_journal("m1") == []


def test_columns_come_in_the_order_of_the_alignment(store: PeerStore) -> None:
    """Row i of the matrix is customer i of the alignment."""
    names, columns = store.aligned_columns(alignment("C249", "C050", "C100"))
    assert names == ["balance", "delays"]
    np.testing.assert_array_equal(columns, [[249 % 7, 1], [50 % 7, 0], [100 % 7, 0]])


def test_data_that_changed_is_read_again_and_lost_customers_are_counted(
    bureau: Config, store: PeerStore
) -> None:
    """New values count at once; customers that left are an error that gives their number, not their names."""
    source = Path(bureau.data.source)
    store.aligned_columns(alignment("C050"))
    source.write_text("customer_id,balance,delays\nC050,9,9\n")
    assert store.aligned_columns(alignment("C050"))[1].tolist() == [[9.0, 9.0]]
    with pytest.raises(NotAligned, match="1 of 2 customers of alignment") as caught:
        store.aligned_columns(alignment("C050", "C051"))
    assert "C051" not in str(caught.value)


def test_scratch_leaves_nothing_behind(bureau: Config, store: PeerStore) -> None:
    """What does not fit into memory goes to a file without a name, which nobody else can open or find."""
    array = store.scratch(1000, 64)
    array[:] = np.arange(1000, dtype=np.uint64)[:, None]
    assert isinstance(array, np.memmap)
    assert array[:, 63].sum() == 999 * 500
    assert list((bureau.directory / "state" / "scratch").iterdir()) == []


def test_scratch_needs_room_on_the_disk(store: PeerStore) -> None:
    """Too little room is told before the work begins, with what to do about it."""
    with pytest.raises(StateError, match="memory_limit_mb"):
        store.scratch(2**40, 64)


def test_the_memory_limit_is_configured(bureau: Config) -> None:
    """``[server] memory_limit_mb`` is what ciphertexts may take of memory."""
    server = msgspec.structs.replace(bureau.server, memory_limit_mb=7)
    assert PeerStore(msgspec.structs.replace(bureau, server=server), "bank", Source(bureau)).memory_limit == (
        7 * 2**20
    )


def test_jobs_on_one_alignment_share_its_columns(
    store: PeerStore,
) -> None:
    """However often it is asked for, there is one array, nobody can write to it, and few are kept."""
    first = store.aligned_columns(alignment("C050", "C100"))[1]
    assert store.aligned_columns(alignment("C050", "C100"))[1] is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1.0
    assert store.aligned_columns(alignment("C100", "C050"))[1][0].tolist() == first[1].tolist()
    for number in range(rows.ALIGNMENTS_IN_MEMORY):
        store.aligned_columns(alignment(f"C{number + 60:03d}"))
    assert store.aligned_columns(alignment("C050", "C100"))[1] is not first


def test_a_database_is_read_again_without_a_second_copy(bureau: Config, tmp_path: Path) -> None:
    """A database is always asked, and what it then gives is a new array only where it gives something new."""
    with sqlite3.connect(tmp_path / "data.sqlite") as database:
        database.execute("CREATE TABLE people (customer_id TEXT, balance REAL, delays REAL)")
        database.execute("INSERT INTO people VALUES ('C050', 1.5, NULL), ('C051', 2.5, 3)")
    data = msgspec.structs.replace(bureau.data, source=f"sqlite:///{tmp_path}/data.sqlite", table="people")
    config = msgspec.structs.replace(bureau, data=data)
    store = PeerStore(config, "bank", Source(config))
    first = store.aligned_columns(alignment("C050", "C051"))[1]
    assert store.aligned_columns(alignment("C050", "C051"))[1] is first
    with sqlite3.connect(tmp_path / "data.sqlite") as database:
        database.execute("UPDATE people SET delays = 7")
    assert store.aligned_columns(alignment("C050", "C051"))[1][:, 1].tolist() == [7.0, 7.0]
