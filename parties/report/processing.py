"""A record of processing activities, by job, as one HTML page that asks nothing of another host."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from parties.config import Config
from parties.contracts.summary import ContractSummary
from parties.ledger.entries import UNKNOWN
from parties.ledger.processing import Export
from parties.telemetry.versions import version_of
from vfl.jobs import terms

TEMPLATE = "processing.html"

MEASURES = [
    "TLS 1.3 with certificates on both sides; the other party's is pinned",
    "customers are matched by private set intersection (Diffie-Hellman in ristretto255)",
    "what depends on labels travels under Paillier encryption; this party's rows never leave it",
    "default deny: nothing runs but within the terms of a contract that all its parties signed (Ed25519)",
    "a hash-chained ledger of every message, signed by both parties at the end of each job (Ed25519)",
]
"""Technical measures that hold for every job (Article 30 (1) g)."""

LIMITS = {
    "rows": "at most {:,} rows",
    "rows_per_hour": "at most {:,} customers an hour",
    "key_bits": "a key of at least {} bits",
}
"""Numbers of every contract, in words; 0 is no term of it. Terms of an algorithm have their own."""


def render(export: Export, config: Config) -> str:
    """Return the page of a ledger; it shows entries by job and kind, and says what only people know."""
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)
    return template.render(
        export=export,
        role=f"{config.party.role} party",
        peers=sorted({record.peer for record in export.jobs}),
        about=_about,
        limits=_limits,
        contracts={one.contract: one for one in export.contracts},
        measures=MEASURES,
        head=export.entries[-1].hash if export.entries else "-",
        version=version_of("vfl"),
    )


def _about(contract: ContractSummary) -> str:
    named = {name: getattr(contract, name) for name in ("alignment", "binning", "model", "algorithm")}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value != UNKNOWN)


def _limits(contract: ContractSummary) -> str:
    numbers = {words: getattr(contract, name) for name, words in LIMITS.items()}
    of_every_contract = [words.format(number) for words, number in numbers.items() if number]
    known = terms()
    of_algorithm = [
        known[name].in_words(number) if name in known else f"{name} {number:,}"
        for name, number in contract.terms.items()
        if number
    ]
    return ", ".join(of_every_contract + of_algorithm) or "none"
