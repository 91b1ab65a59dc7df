"""``vfl jobs``: the jobs of a feature party, or the trainings under way of a label party."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import Struct

from parties import config as configuration
from parties.commands.lazy import LazyGroup
from parties.commands.output import example, json_option, party_directory, show
from parties.config import Config
from parties.report.tables import table
from parties.storage import database
from parties.storage.job_records import JobRecord, JobRecords
from parties.storage.model_store import ModelStore
from parties.storage.training_checkpoints import Training, TrainingCheckpoints

PLACES = {
    "list": "parties.commands.jobs:list_jobs",
    "show": "parties.commands.jobs:show_job",
}

NO_JOBS = "a label party records no jobs; these are its trainings under way"


class TrainingSummary(Struct, frozen=True, kw_only=True):
    """A training under way at a label party.

    Attributes:
        model, algorithm, alignment: their names.
        rounds: how many are done.
        seconds: wall time until the last checkpoint.
    """

    model: str
    algorithm: str
    alignment: str
    rounds: int
    seconds: float


@click.group(cls=LazyGroup, places=PLACES)
def jobs() -> None:
    """List and show the jobs of a party."""


@click.command(epilog=example("vfl jobs list bureau --peer bank --open"))
@party_directory
@click.option("--peer", help="Only jobs of this peer.")
@click.option("--open", "only_open", is_flag=True, help="Only jobs that have not ended.")
@json_option
def list_jobs(directory: Path, peer: str | None, only_open: bool, as_json: bool) -> None:
    """List the jobs of DIR, the newest first.

    A label party records no jobs: its trainings under way are listed.
    """
    config = configuration.load(directory)
    if config.party.role == "label":
        trainings = [_summary(training) for training in _trainings(config, peer)]
        show(trainings, as_json, f"{NO_JOBS}\n{_trainings_table(trainings)}")
        return
    records = JobRecords(database.connect(config)).all(peer=peer, only_open=only_open)
    show(records, as_json, _jobs_table(records))


@click.command(epilog=example("vfl jobs show bureau 5c1e"))
@party_directory
@click.argument("job")
@json_option
def show_job(directory: Path, job: str, as_json: bool) -> None:
    """Print a JOB of DIR, named by its first characters.

    At a label party JOB is the model of a training under way.
    """
    config = configuration.load(directory)
    if config.party.role == "label":
        show(_summary(TrainingCheckpoints(config).load(job)), as_json)
        return
    show(JobRecords(database.connect(config)).named(job), as_json)


def _trainings(config: Config, peer: str | None) -> list[Training]:
    """Return the trainings under way, or those on an alignment with a peer."""
    trainings, models = TrainingCheckpoints(config).all(), ModelStore(config)
    if peer is None:
        return trainings
    return [each for each in trainings if peer in models.load_alignment(each.alignment)[0].common]


def _summary(training: Training) -> TrainingSummary:
    return TrainingSummary(
        model=training.model,
        algorithm=training.algorithm,
        alignment=training.alignment,
        rounds=training.rounds,
        seconds=training.seconds,
    )


def _jobs_table(records: list[JobRecord]) -> str:
    heading = ("job", "peer", "kind", "state", "about", "created", "updated")
    lines = [
        (each.job[:12], each.peer, each.kind, each.state, each.subject, each.created[:19], each.updated[:19])
        for each in records
    ]
    return table(heading, lines, texts=len(heading)) if lines else "no job"


def _trainings_table(trainings: list[TrainingSummary]) -> str:
    heading = ("model", "algorithm", "alignment", "rounds", "seconds")
    lines = [
        (each.model, each.algorithm, each.alignment, f"{each.rounds:,}", f"{each.seconds:,.1f}")
        for each in trainings
    ]
    return table(heading, lines, texts=3) if lines else "no training under way"
