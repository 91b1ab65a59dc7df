"""A record of processing activities, by job, as one HTML page that asks nothing of another host."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from parties.config import Config
from parties.processing import Export
from parties.versions import version_of

TEMPLATE = "processing.html"

MEASURES = [
    "TLS 1.3 with certificates on both sides; the other party's is pinned",
    "customers are matched by private set intersection (Diffie-Hellman in ristretto255)",
    "what depends on labels travels under Paillier encryption; this party's rows never leave it",
    "default deny: only configured peers, for what they are allowed, within limits",
    "a hash-chained ledger of every message, signed by both parties at the end of each job (Ed25519)",
]
"""Technical measures that hold for every job (Article 30 (1) g)."""


def render(export: Export, config: Config) -> str:
    """Return the page of a ledger; it shows entries by job and kind, and says what only people know."""
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)
    return template.render(
        export=export,
        role=f"{config.party.role} party",
        peers=sorted({record.peer for record in export.jobs}),
        measures=MEASURES,
        head=export.entries[-1].hash if export.entries else "-",
        version=version_of("vfl"),
    )
