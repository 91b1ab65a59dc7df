"""The label party's commands: align, train, score, export."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from pathlib import Path

import click
import pandas as pd
from msgspec import Struct

from parties.commands.lazy import import_ahead
from parties.commands.output import example, json_option, load_client_config, party_directory, show
from parties.commands.parameters import parameters
from parties.config import Config
from parties.config.files import write_private
from parties.label.cohort import Scores
from parties.label.party import LabelParty
from parties.link.timeline import chrome_trace
from parties.storage.model_store import ModelRecord, details, headline
from parties.storage.training_checkpoints import Training
from parties.telemetry.progress import ProgressLine
from vfl.algorithms.registry import ALGORITHMS
from vfl.errors import ConfigError, ParameterError, PeerError, StateError
from vfl.psi.alignment import Mode
from vfl.trace import record_process


@click.command(epilog=example("vfl align bank"))
@party_directory
@click.option("--mode", type=click.Choice(["left", "inner"]), default="left", show_default=True)
@click.option("--data", help="Another population to align: a .csv or .parquet file.")
@click.option("--name", help="Name of the alignment; made up by default.")
@json_option
def align(directory: Path, mode: Mode, data: str | None, name: str | None, as_json: bool) -> None:
    """Find, with every peer, which customers of DIR it knows.

    In mode left all rows take part, and values of customers that a peer does not know are missing; in mode
    inner only the customers that every peer knows take part.
    """
    with LabelParty(load_client_config(directory)) as party, ProgressLine("aligning") as progress:
        record = party.align(name=name, mode=mode, source=data, on_progress=progress)
    common = "".join(f"\n  {peer} knows {rows:,}" for peer, rows in record.common.items())
    show(record, as_json, f"alignment {record.alignment}: {record.rows:,} customers{common}")


@click.command(epilog=example("vfl train bank --param max_depth=5 --validation-fraction 0.2"))
@party_directory
@click.option("--alignment", help="Alignment to train on; the newest of the data by default.")
@click.option("--model", help="Name of the model; made up by default.")
@click.option(
    "--algorithm",
    type=click.Choice([algorithm.name for algorithm in ALGORITHMS.trainable]),
    default=ALGORITHMS.default.name,
    show_default=True,
)
@click.option("--binning", help="Binning whose weights of evidence a linear model is on.")
@click.option(
    "params",
    "--param",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of XGBoost's, or scikit-learn's.",
)
@click.option(
    "--validation-fraction",
    default=0.0,
    show_default=True,
    help="Fraction of rows to leave out for validation.",
)
@click.option(
    "--resume", metavar="MODEL", help="Continue a training that was broken off, with its parameters."
)
@click.option(
    "--trace", type=click.Path(path_type=Path), help="Timeline of all parties to write, for Perfetto."
)
@json_option
def train(
    *,
    directory: Path,
    alignment: str | None,
    model: str | None,
    algorithm: str,
    binning: str | None,
    params: tuple[str, ...],
    validation_fraction: float,
    resume: str | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Train a model of boosted trees, or a linear one, with the peers of DIR.

    With a binning the columns of a linear model are weights of evidence, each party coding its own; without
    one they are scaled to mean 0 and deviation 1.

    The file of --trace opens in https://ui.perfetto.dev or chrome://tracing; a peer's steps are in it
    where its configuration sets show_timing for us.
    """
    import_ahead("xgboost", "sklearn.metrics")
    config = load_client_config(directory)
    if resume and (alignment or model or params or validation_fraction):
        raise ParameterError(
            "--resume continues with the parameters of the training; only --trace and --json may be added"
        )
    recorded = record_process() if trace else nullcontext()
    with LabelParty(config) as party, ProgressLine("training") as progress, recorded as recording:
        try:
            record = (
                party.resume(resume, on_progress=progress)
                if resume
                else party.train(
                    alignment=alignment,
                    name=model,
                    params=_params(config, algorithm, binning, params),
                    binning=binning,
                    validation_fraction=validation_fraction,
                    on_progress=progress,
                )
            )
        except (PeerError, StateError):
            if training := party.broken_off:
                click.echo(_remedy(directory, training), err=True)
            raise
        if trace and recording:
            timeline = chrome_trace({config.party.name: recording.spans} | party.peer_spans())
            write_private(trace.resolve(), json.dumps(timeline).encode())
    show(record, as_json, _summary(record))


@click.command(epilog=example("vfl score bank MODEL --in new.csv --out scores.csv"))
@party_directory
@click.argument("model")
@click.option("source", "--in", required=True, type=click.Path(exists=True), help="Rows to score.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .csv or .parquet file.")
@json_option
def score(directory: Path, model: str, source: str, out: Path, as_json: bool) -> None:
    """Score a population with MODEL: it is aligned with the peers first.

    The file that is written has the key columns and the score.
    """
    import_ahead("xgboost")
    config = load_client_config(directory)
    if out.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"--out {out.name}: write a name that ends in .csv or .parquet")
    with LabelParty(config) as party, ProgressLine("scoring") as progress:
        scores = party.score(model, source, on_progress=progress)
    write_private(out.resolve(), _scores_file(config, scores, out.suffix))
    result = {"rows": len(scores.scores), "left_out": scores.left_out, "out": str(out)}
    left_out = f", {scores.left_out:,} without a usable key left out" if scores.left_out else ""
    show(result, as_json, f"{out}: {len(scores.scores):,} rows scored{left_out}")


@click.command(epilog=example("vfl export bank MODEL --xgboost model.json"))
@party_directory
@click.argument("model")
@click.option(
    "--xgboost", "file", required=True, type=click.Path(path_type=Path), help="The .json file to write."
)
@json_option
def export(directory: Path, model: str, file: Path, as_json: bool) -> None:
    """Merge all parts of MODEL into one file; every peer must allow that.

    Trees become a model that XGBoost loads, a linear model a list of its coefficients by column.
    """
    with LabelParty(load_client_config(directory)) as party:
        write_private(file.resolve(), party.export(model))
    show({"model": model, "xgboost": str(file)}, as_json, f"{file}: model {model}, merged")


def _scores_file(config: Config, scores: Scores, suffix: str) -> bytes:
    frame = pd.DataFrame({config.data.keys[field]: values for field, values in scores.keys.items()})
    frame["score"] = scores.scores
    buffer = io.BytesIO()
    if suffix == ".parquet":
        frame.to_parquet(buffer, index=False)
    else:
        frame.to_csv(buffer, index=False)
    return buffer.getvalue()


def _params(config: Config, algorithm: str, binning: str | None, changes: tuple[str, ...]) -> Struct:
    """Return the parameters of a training: those of ``[model]``, or an algorithm's own, with some changed."""
    training = ALGORITHMS.named(algorithm).training
    if training is None or training.default_params is None:
        return parameters(type(config.model), changes, config.model)
    defaults: Struct = training.default_params(binning is not None)
    return parameters(training.params, changes, defaults)


def _remedy(directory: Path, training: Training) -> str:
    """Return how to resume a training; one without a checkpoint begins again."""
    command = f"vfl train {directory} --resume {training.model}"
    if not training.checkpoint:
        return f"begin again with `{command}`"
    rounds = "1 round is" if training.rounds == 1 else f"{training.rounds} rounds are"
    return f"{rounds} saved; continue with `{command}`"


def _summary(record: ModelRecord) -> str:
    """Return what a trained model is, in lines."""
    lines = [f"model {record.model}: {headline(record)} on {record.rows:,} rows in {record.seconds:,.1f} s"]
    if record.history and record.validation_rows:
        metric = f"{record.metric} on {record.validation_rows:,} validation rows"
        lines.append(f"{metric}: {record.history[-1]:.5f}")
    return "\n".join([*lines, *details(record)])
