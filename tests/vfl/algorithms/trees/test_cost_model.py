"""Predictions of a job: bytes that are those of real frames, and costs that grow as they must."""

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.cost_model import Link, Machine, Partner, Work, plan
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.machine_speed import measure, shared_sums
from vfl.algorithms.trees.params import TreeParams

MACHINE = Machine("native-ifma", 2, 6e-6, 2e-6, 3e-7, 4e-7, 1e-7)
LINK = Link(1e9, 0.01)


def work(rows=24_000, columns=10, trees=10, depth=5, **options):
    return Work(rows, 13, (Partner(rows, columns, 32 * columns),), trees, depth, **options)


def test_predicted_bytes_are_those_of_real_frames(consortium, private_key):
    """What crosses between two parties in a training job is within a tenth of what was predicted."""
    rng = np.random.default_rng(0)
    customers = [f"C{i}" for i in range(2000)]
    label = pd.DataFrame(rng.normal(size=(2000, 3)), index=customers, columns=list("xyz"))
    feature = pd.DataFrame(rng.normal(size=(2000, 3)), index=customers, columns=list("abc"))
    y = (feature["a"] * label["x"] + rng.normal(size=2000) > 0).to_numpy(np.float32)
    group = consortium(label, {"telco": feature})
    party, answered = group.parties["telco"], []
    receive = party.receive
    party.receive = lambda frame: answered.append(receive(frame)) or answered[-1]
    group.channel._receivers["telco"] = party.receive
    table = LabelTable(customers, list("xyz"), label.to_numpy(np.float32), y, None)
    params = TreeParams(n_estimators=2, max_depth=4, max_bin=16, min_child_weight=0)
    train(group.sessions(), group.alignments, table, params, private_key, model_id="m")
    job = Work(2000, 3, (Partner(2000, 3, 48),), trees=2, depth=4)
    (traffic,) = plan(job, MACHINE, LINK).traffic
    assert traffic.to_partner == pytest.approx(sum(map(len, party.frames_seen)), rel=0.1)
    assert traffic.from_partner == pytest.approx(sum(map(len, answered)), rel=0.1)
    assert traffic.to_partner_per_row_and_tree == pytest.approx(traffic.to_partner / 4000, rel=0.01)


def test_time_grows_with_the_job():
    """More rows, columns, trees, levels or key bits take longer; fewer sampled rows take less."""
    base = plan(work(), MACHINE, LINK).seconds
    for longer in ({"rows": 48_000}, {"columns": 20}, {"trees": 20}, {"depth": 6}, {"key_bits": 3072}):
        assert plan(work(**longer), MACHINE, LINK).seconds > base
    assert plan(work(sampled=0.3), MACHINE, LINK).seconds < base


def test_a_slow_line_sets_the_pace():
    """Where the line is the bottleneck a job takes as long as its bytes take to cross it."""
    slow = plan(work(), MACHINE, Link(1e6, 0.01))
    (traffic,) = slow.traffic
    assert slow.seconds == pytest.approx(8 * traffic.to_partner / 1e6, rel=0.1)


def test_machines_of_their_own_work_side_by_side():
    """Parties that share a machine take longer, and a second partner costs time only there."""
    alone, two = work(), Work(24_000, 13, (Partner(24_000, 10, 320),) * 2, 10, 5)
    assert plan(alone, MACHINE, LINK, one_machine=True).seconds > plan(alone, MACHINE, LINK).seconds
    apart, together = (plan(two, MACHINE, LINK, one_machine=one).steps.sum for one in (False, True))
    assert apart == plan(alone, MACHINE, LINK).steps.sum
    assert together == pytest.approx(2 * apart)


def test_memory_beyond_the_limit_becomes_disk():
    """Ciphertexts of 512 bytes a row are held in memory up to the limit and on disk beyond it."""
    held = plan(work(rows=1_000_000), MACHINE, LINK)
    mapped = plan(work(rows=1_000_000, memory_limit=2**27), MACHINE, LINK)
    assert held.scratch_bytes == [0]
    assert mapped.scratch_bytes == [512_000_000]
    assert held.feature_memory[0] - mapped.feature_memory[0] == 512_000_000 - 2**26


def test_real_columns_are_counted():
    """Correlated columns share more than independent ones, which share as the formula says."""
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(20_000, 6)).astype(np.float32)
    correlated = (independent[:, :1] * 3 + independent).astype(np.float32)
    bins, counted = shared_sums(independent, 32, 4)
    assert bins == 6 * 32
    partner = Partner(20_000, 6, bins)
    assert Work(20_000, 0, (partner,), 1, 4).sums(partner) == pytest.approx(counted, rel=0.1)
    assert shared_sums(correlated, 32, 4)[1] < 0.9 * counted


def test_this_machine_is_measured():
    """Every time is positive, and a row costs many multiplications."""
    machine = measure(2048, "short", 4)
    assert min(machine.take, machine.public, machine.few_public, machine.few_private) > 0
    assert machine.encrypt > machine.public
