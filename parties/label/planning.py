"""What a training job of a party directory will take: its configuration and data, timed on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from parties.config import Config
from parties.data import rows
from vfl.algorithms.trees.cost_model import Link, Machine, Partner, Plan, Work, plan
from vfl.algorithms.trees.machine_speed import measure, shared_sums
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError


class Wanted(NamedTuple):
    """What is known of a job; what is not comes from the party directory.

    common: fraction of the rows that each partner knows.
    """

    rows: int | None = None
    columns: int | None = None
    partner_columns: tuple[int, ...] = ()
    common: float = 1.0


@dataclass(frozen=True)
class Prediction:
    """The job, the machine that was timed, and what the job will take."""

    work: Work
    machine: Machine
    plan: Plan


def predict(config: Config, wanted: Wanted, link: Link, *, one_machine: bool = False) -> Prediction:
    """Predict a job with the parameters of ``[model]`` and ``[crypto]``.

    Raises:
        ParameterError: the partners' columns are not given, nor are they those of this directory.
        DataError: the data is needed and cannot be used.
    """
    job = work(config, wanted)
    machine = measure(job.key_bits, job.profile, max(job.packed(partner)[0] for partner in job.partners))
    return Prediction(job, machine, plan(job, machine, link, one_machine=one_machine))


def work(config: Config, wanted: Wanted) -> Work:
    """Return the job.

    The data of the directory, if it is needed at all, also says how many bins columns have and how much
    they share sums; the columns of partners elsewhere are taken to be alike.
    """
    params = config.model
    if not isinstance(params, TreeParams):
        raise ParameterError("only trainings of trees are planned; leave [model] to parameters of trees")
    n_rows, columns, partner_columns = wanted.rows, wanted.columns, wanted.partner_columns
    is_label = config.party.role == "label"
    if is_label and not partner_columns:
        raise ParameterError("say how many columns each partner has, with --partner-columns")
    bins, sums = float(params.max_bin), None
    sampled = _sampled(params)
    if n_rows is None or (columns if is_label else partner_columns) in (None, ()):
        loaded = rows.load(config, training=False)
        table = loaded.table.columns[loaded.identifiers.rows]
        n_rows = n_rows or len(table)
        if is_label:
            columns = columns or table.shape[1]
        else:
            partner_columns = partner_columns or (table.shape[1],)
        if table.size:
            n_bins, counted = shared_sums(table, params.max_bin, params.max_depth, sampled)
            bins, sums = n_bins / table.shape[1], counted / table.size
    known = round(n_rows * wanted.common)
    partners = tuple(
        Partner(known, count, round(bins * count), None if sums is None else sums * known * count)
        for count in partner_columns
    )
    return Work(
        rows=n_rows,
        columns=columns or 0,
        partners=partners,
        trees=params.n_estimators,
        depth=params.max_depth,
        key_bits=config.crypto.key_bits,
        profile=config.crypto.profile,
        sampled=sampled,
        memory_limit=config.server.memory_limit_mb * 2**20,
    )


def with_settings(config: Config, model: dict[str, int | None], crypto: dict[str, object]) -> Config:
    """Return the configuration with what is given of ``[model]`` and ``[crypto]`` in its place."""
    changed = {name: value for name, value in model.items() if value is not None}
    keys = {name: value for name, value in crypto.items() if value is not None}
    return msgspec.structs.replace(
        config,
        model=msgspec.structs.replace(config.model, **changed),
        crypto=msgspec.structs.replace(config.crypto, **keys),
    )


def _sampled(params: TreeParams) -> float:
    if params.data_sample_strategy == "goss":
        return params.top_rate + params.other_rate
    return params.subsample
