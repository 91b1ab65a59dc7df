"""``vfl demo``: a bank, a telco and a payment processor find fraud together, on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from data_generators.fraud import FRAUD
from scenarios.consortium import Consortium, Institution, working_directory
from scenarios.story import CURVES, MODEL, Story
from vfl.params import TreeParams

FRAUD_RATE = 0.05
"""Five times the generator's, so that a few thousand customers are enough to learn from."""

RECIPE = "strip spaces upper"


def institutions(directory: Path, rows: int, seed: int) -> list[Institution]:
    """Generate three institutions' files in a directory and return who holds which."""
    FRAUD.write(directory, rows, seed, rows, FRAUD_RATE)
    schema = FRAUD.schema
    return [
        Institution(
            name, directory / f"{name}.csv", key.column, RECIPE, schema.label if name == "bank" else None
        )
        for name, key in schema.keys.items()
    ]


@click.command(epilog="Example:\n\n  vfl demo --out demo-run --json demo.json")
@click.option("--rows", type=click.IntRange(min=200), default=3_000, show_default=True, help="Training rows.")
@click.option("--trees", type=click.IntRange(min=1), default=6, show_default=True, help="Trees to train.")
@click.option("--key-bits", type=click.Choice(["2048", "3072"]), default="2048", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Of the data.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep everything in this new directory.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there.")
def demo(rows: int, trees: int, key_bits: str, seed: int, out: Path | None, file: Path | None) -> None:
    """Show three institutions finding fraud together: a bank, a telco and a payment processor.

    Each is a party directory and a process of its own on this machine, with its own certificate and
    generated data; they talk over mutual TLS and train on Paillier ciphertexts, as they would in life.
    """
    with ExitStack() as stack:
        directory = working_directory(out, stack)
        click.echo(f"A bank, a telco and a payment processor, each in a process of its own, in {directory}\n")
        story = Story(
            title=f"Fraud found by a bank alone, with two partners, and on pooled columns (seed {seed})",
            consortium=Consortium(directory, institutions(directory, rows, seed), int(key_bits)),
            params=TreeParams(n_estimators=trees, max_depth=3, max_bin=32),
            test="bank_test.csv",
            say=click.echo,
        )
        report = story.tell()
        click.echo(f"\n{report.to_text()}")
        report.write(file)
        if out:
            click.echo(_next_commands(directory, story.consortium))


def _next_commands(directory: Path, consortium: Consortium) -> str:
    names = [part.name for part in consortium.features]
    return "\n".join(
        [
            f"\nROC curves: {directory / CURVES}",
            "\nGo on with the same institutions:\n",
            f"  cd {directory}",
            *(f"  vfl party serve {name} &" for name in names),
            f"  vfl evaluate {consortium.label.name} {MODEL} --in bank_test.csv",
            f"  vfl train {consortium.label.name} --model second --param n_estimators=20 --param max_bin=32",
            f"  vfl ledger {names[0]}",
        ]
    )


if __name__ == "__main__":
    demo()
