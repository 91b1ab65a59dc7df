"""The work of a plan: what the caller leaves out comes from the party directory."""

from __future__ import annotations

import msgspec
import pytest

from parties.config import Config
from parties.label.planning import Wanted, predict, work
from vfl.algorithms.trees.cost_model import Link
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError


def test_what_is_given_needs_no_data(bank: Config) -> None:
    """With rows and columns given, the data is not read, and columns count as independent."""
    absent = msgspec.structs.replace(bank, data=msgspec.structs.replace(bank.data, source="nowhere.csv"))
    job = work(absent, Wanted(rows=1_000, columns=2, partner_columns=(3,), common=0.5))
    assert (job.rows, job.partners[0].rows, job.partners[0].sums) == (1_000, 500, None)


def test_a_feature_party_plans_with_its_own_columns(bureau: Config) -> None:
    """A feature party's own rows, columns and bins are the partner's of its plan."""
    params = TreeParams(max_bin=8, max_depth=3)
    job = work(msgspec.structs.replace(bureau, model=params), Wanted())
    (partner,) = job.partners
    assert (job.rows, partner.rows, partner.columns) == (200, 200, 2)
    assert partner.bins == 7 + 2
    assert partner.sums is not None
    assert job.memory_limit == 4096 * 2**20


def test_drawn_rows_are_what_is_encrypted(bank: Config) -> None:
    """Row sampling of either kind lowers what a tree takes."""
    wanted = Wanted(rows=10_000, columns=2, partner_columns=(3,))
    for params in (
        TreeParams(subsample=0.3),
        TreeParams(data_sample_strategy="goss", top_rate=0.2, other_rate=0.1),
    ):
        predicted = predict(msgspec.structs.replace(bank, model=params), wanted, Link(1e9, 0.0))
        assert predicted.work.sampled == pytest.approx(0.3)
        assert predicted.plan.traffic[0].to_partner_per_row_and_tree == pytest.approx(0.3 * 512, rel=0.05)


def test_partners_columns_must_be_known(bank: Config) -> None:
    """A label party has to say what its partners have."""
    with pytest.raises(ParameterError):
        work(bank, Wanted())
