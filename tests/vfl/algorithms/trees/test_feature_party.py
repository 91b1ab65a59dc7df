"""A feature party whose ciphertexts do not fit its memory: the same model, from a file on disk."""

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams

ROWS, LIMBS = 500, 64
WIDTH = 8 * LIMBS


@pytest.fixture
def parties(consortium):
    """A label party and one feature party that knows most of its customers."""
    rng = np.random.default_rng(0)
    customers = [f"C{i}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "tenure"])
    feature = pd.DataFrame(rng.normal(size=(ROWS, 3)), index=customers, columns=["a", "b", "c"])
    y = (feature["a"] * feature["b"] + label["age"] > 0.3).to_numpy(np.float32)
    return consortium(label, {"telco": feature.iloc[:420]}), label, y


def trained(parties, private_key, model_id, **options):
    group, label, y = parties
    table = LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), y, None)
    params = TreeParams(n_estimators=2, max_depth=4, max_bin=16, **options)
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id=model_id)
    return result.part, group.parties["telco"].parts[model_id]


@pytest.mark.parametrize("options", [{}, {"subsample": 0.5, "random_state": 3}])
def test_ciphertexts_on_disk_give_the_same_model(parties, private_key, tmp_path, options):
    """Beyond the memory limit residues lie in a mapped file, read in blocks; no split or leaf changes."""
    in_memory = trained(parties, private_key, "in-memory", **options)
    files = []

    def scratch(rows, limbs):
        files.append(tmp_path / f"residues-{len(files)}")
        return np.memmap(files[-1], dtype=np.uint64, mode="w+", shape=(rows, limbs))

    party = parties[0].parties["telco"]
    party.scratch, party.memory_limit = scratch, 100 * WIDTH
    assert trained(parties, private_key, "mapped", **options) == in_memory
    assert [file.stat().st_size for file in files] == [420 * WIDTH]
    assert np.fromfile(files[0], dtype=np.uint64).any()


def test_what_fits_stays_in_memory(parties, private_key):
    """Up to the limit no file is asked for."""
    parties[0].parties["telco"].memory_limit = 420 * WIDTH
    parties[0].parties["telco"].scratch = None
    trained(parties, private_key, "m")
