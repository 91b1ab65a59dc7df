"""``vfl audit``: what was exchanged, whether the record of it is whole, and the record as a file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click
import msgspec

from parties import config as configuration
from parties.commands.lazy import LazyGroup
from parties.commands.output import example, json_option, party_directory, show
from parties.config.files import write_private
from parties.contracts.contract_store import ContractStore
from parties.keys import identity
from parties.ledger import audit as audits
from parties.ledger import processing
from parties.ledger.chain import Finding
from parties.ledger.entries import Ledger, Total
from parties.report.processing import render
from parties.report.tables import table
from parties.storage import database
from vfl.errors import ParameterError

PLACES = {
    "export": "parties.commands.audit:export",
    "show": "parties.commands.audit:show_ledger",
    "verify": "parties.commands.audit:verify",
}

WIDTH = 120
"""Characters in a line of what a message reveals."""


@click.group(cls=LazyGroup, places=PLACES)
def audit() -> None:
    """Show, verify and export the ledger of a party."""


@click.command(epilog=example("vfl audit verify bank --against bureau.json"))
@party_directory
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="What a peer's `vfl audit export` wrote as JSON. Repeatable.",
)
@json_option
def verify(directory: Path, against: tuple[Path, ...], as_json: bool) -> None:
    """Look for entries of DIR, signatures and contracts that were changed, removed, inserted or cut off.

    Exit code 1 where there is one.
    """
    config = configuration.load(directory)
    engine = database.connect(config)
    verdict = audits.verify(
        Ledger(engine),
        ContractStore(engine),
        identity.load(config).public,
        {name: peer.identity for name, peer in config.peers.items()},
        [signed for file in against for signed in processing.load(file.read_bytes()).signed],
    )
    lines = [
        f"entries  {verdict.entries:,}",
        f"head     {verdict.head}",
        f"signed   {verdict.signed:,} jobs, not signed {len(verdict.unsigned):,}",
        *(f"FINDING  {_sentence(finding)}" for finding in verdict.findings),
    ]
    if not verdict.findings:
        lines.append("whole: nothing was changed, removed, inserted, reordered or cut off")
    show(
        verdict._asdict() | {"findings": [finding._asdict() for finding in verdict.findings]},
        as_json,
        "\n".join(lines),
    )
    if verdict.findings:
        raise SystemExit(1)


@click.command("show", epilog=example("vfl audit show bureau"))
@party_directory
@click.option("--job", help="Show each message of one job, and what it reveals.")
@click.option("--contract", default="", help="The same under contracts whose digest begins so.")
@json_option
def show_ledger(directory: Path, job: str | None, contract: str, as_json: bool) -> None:
    """Print what DIR has exchanged with its peers: messages and bytes by kind and outcome."""
    ledger = Ledger(database.connect(configuration.load(directory)))
    if job is not None or contract:
        lines = list(processing.lines_of(ledger, job, contract))
        show(lines, as_json, "\n".join(map(_line, lines)) or "the ledger has no such message")
        return
    totals = ledger.totals()
    heading = ("", "peer", "message", "outcome", "count", "bytes in", "bytes out")
    show([total._asdict() for total in totals], as_json, table(heading, list(map(_row, totals)), texts=4))


@click.command(epilog=example("vfl audit export bank --out processing.html"))
@party_directory
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .json or .html file."
)
@click.option(
    "--peer", help="Only what concerns this peer, to hand it over for `vfl audit verify --against`."
)
def export(directory: Path, out: Path, peer: str | None) -> None:
    """Write the ledger of DIR: all of it as JSON, or a record of processing by job as one HTML page."""
    config = configuration.load(directory)
    if out.suffix not in (".json", ".html"):
        raise ParameterError(f"--out {out.name}: give a name that ends in .json or .html")
    engine = database.connect(config)
    whole = processing.export(
        Ledger(engine), ContractStore(engine), config, identity.load(config).public, peer
    )
    if out.suffix == ".json":
        content = msgspec.json.format(msgspec.json.encode(whole), indent=1)
    else:
        content = render(whole, config).encode()
    write_private(out.absolute(), content)
    click.echo(f"{out}: {len(whole.jobs):,} jobs, {len(whole.entries):,} entries")


def _row(total: Total) -> tuple[str, ...]:
    sizes = (total.request_bytes, total.reply_bytes)
    inward, outward = sizes if total.direction == "in" else sizes[::-1]
    texts = (total.direction, total.peer, total.kind, total.outcome)
    return (*texts, f"{total.messages:,}", f"{inward:,}", f"{outward:,}")


def _sentence(finding: Finding) -> str:
    """Return a finding in words that name its entry once."""
    place = f"entry {finding.entry}"
    return finding.text if not finding.entry or place in finding.text else f"{place}: {finding.text}"


def _line(line: processing.Line) -> str:
    reveals = textwrap.fill(line.reveals, WIDTH, initial_indent=f"{'':9}", subsequent_indent=f"{'':9}")
    return (
        f"{line.entry:>8} {line.time} {line.contract[:12]:12} {line.direction:3} {line.peer:12} "
        f"{line.kind:16} {line.outcome:11} {line.request_bytes:>11,} {line.reply_bytes:>11,} "
        f"{line.hash[:12]}\n{reveals}"
    )
