"""The `vfl publish` command: fit thresholds, check parity, write the publication."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from parties.config import Config
from parties.label.cohort import Population
from parties.label.evaluation_data import EvaluationData
from parties.label.party import LabelParty
from parties.ledger.entries import Ledger
from parties.link.channels import channel_to_peers
from parties.link.transport import HttpsChannel
from parties.serving.deployment import Deployment
from parties.serving.parity import check
from parties.serving.publication import Parity, Publication, Publications, Withdrawal
from parties.serving.schemas import Fallback, PopulationCard, ThresholdCard
from parties.serving.scorer import Scorer
from parties.storage import database
from parties.storage.model_store import ModelStore
from parties.telemetry.progress import Progress, silent
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Float32
from vfl.errors import StateError
from vfl.evaluation import metrics
from vfl.evaluation.thresholds import Rule
from vfl.model.predictor import BLOCK_ROWS
from vfl.scoring.platt_scaling import fit

DEFAULT_RULE = Rule("fpr", 0.01)

NOT_CHECKED = Parity(rows=0, unknown={})


def publish(
    config: Config,
    model: str,
    *,
    population: str | None = None,
    rule: Rule = DEFAULT_RULE,
    fallback: Fallback = "partial",
    on_progress: Progress = silent,
) -> Publication:
    """Publish a model: from now on the service scores with it.

    Thresholds and the link of the bank-only model are fitted on the validation rows of training, or on its
    training rows where none were kept out.

    Args:
        population: a file with the customers that can be scored by key; the rows of ``[data]`` by default.
        rule: how thresholds are chosen.
        fallback: what counts where feature parties are absent.

    Raises:
        StateError: no such model, or the ways of scoring do not agree; nothing is published then.
        DataError, ParameterError: the rows do not suit the rule, or cannot be used.
        AwaitingApproval: people at peers have to approve contracts first; nothing has been scored yet.
        PeerError: from a peer, or on the way to it.
    """
    archive, publications = ModelStore(config), Publications(config)
    alone = archive.load_bank_only(model)
    number = publications.newest().get(model, 0) + 1
    with LabelParty(config) as party:
        customers = party.population(model, population, on_progress=on_progress)
        alignments = {party.record(model).alignment, customers.record.alignment}
        party.obtain_scoring_contracts(model, sorted(alignments))
        rows = party.evaluation_data(model, on_progress=on_progress)
        batch = party.score_population(model, customers, on_progress=on_progress)
    _, part = archive.load_model(model)
    link = fit(ALGORITHMS.predictor(alone).batch_margins(rows.columns), rows.together, part.objective)
    draft = Publication(
        model=model,
        number=number,
        created=database.now(),
        alignment=customers.record.alignment,
        source=None if population is None else str(Path(population).resolve()),
        population=_population(config, customers),
        threshold=_threshold(number, rule, rows, Scorer(part, alone, link, config.party.name)),
        fallback=fallback,
        link=link,
        reasons={},
        metrics=_metrics(rows),
        metrics_on="validation" if rows.rows_are == "validation" else "training",
        parity=NOT_CHECKED,
    )
    publication = _checked(config, draft, customers, batch)
    publications.save(publication)
    return publication


def withdraw(config: Config, model: str) -> Withdrawal:
    """Take a model out of service; raises StateError where it is not published."""
    publications = Publications(config)
    number = publications.newest().get(model, 0)
    if not number or isinstance(publications.load(model, number), Withdrawal):
        raise StateError(f"model {model} is not published")
    withdrawal = Withdrawal(model=model, number=number + 1, created=database.now())
    publications.save(withdrawal)
    return withdrawal


def _checked(config: Config, draft: Publication, customers: Population, batch: Float32) -> Publication:
    """Return the publication with the result of its parity check; raises as that does."""
    seconds = config.serving.max_budget_ms / 1e3
    with HttpsChannel(config, answer_seconds=seconds) as https:
        ledger = Ledger(database.connect(config))
        channel = channel_to_peers(https, ledger, config, retrying=False)
        deployment = Deployment(config, draft, channel)
        try:
            parity = check(deployment, customers, batch, seconds)
            return msgspec.structs.replace(draft, parity=parity, reasons=deployment.reason_names())
        finally:
            deployment.close()


def _threshold(number: int, rule: Rule, rows: EvaluationData, scorer: Scorer) -> ThresholdCard:
    starts = range(0, len(rows.columns), BLOCK_ROWS)
    alone = np.concatenate(
        [scorer.alone(rows.columns[start : start + BLOCK_ROWS]).scores for start in starts]
    )
    joint, bank_only = (
        rule.threshold(rows.labels, scores, rows.amounts, rows.days, rows.weights)
        for scores in (rows.together, alone)
    )
    return ThresholdCard(version=number, rule=str(rule), joint=joint, bank_only=bank_only)


def _metrics(rows: EvaluationData) -> dict[str, float]:
    measures = {"roc_auc": metrics.roc_auc, "pr_auc": metrics.pr_auc, "ks": metrics.ks}
    return {name: measure(rows.labels, rows.together, rows.weights) for name, measure in measures.items()}


def _population(config: Config, customers: Population) -> PopulationCard:
    record = customers.record
    is_file = "://" not in record.source
    source = Path(record.source).name if is_file else config.data.table or "query"
    return PopulationCard(source=source, rows=record.rows, known=record.common)
