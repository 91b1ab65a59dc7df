"""The page of processing: readable without any other host, and nothing in it is taken for markup."""

from __future__ import annotations

import re
from typing import Any

from parties.contracts.contract_store import ContractStore
from parties.keys import identity
from parties.ledger.processing import Export, export
from parties.report.processing import render
from parties.storage import database


def exported(pair: Any) -> Export:
    contracts = ContractStore(database.connect(pair.bank))
    return export(pair.bank_ledger, contracts, pair.bank, identity.load(pair.bank).public)


def test_the_page_names_every_job_and_what_it_revealed(pair: Any) -> None:
    """Purpose, peer, times, signatures, and each kind of message with what it reveals."""
    job = pair.score()
    page = render(exported(pair), pair.bank)
    for told in (job, "scoring customers with a model", "bureau", "signed by both parties", "Article 30"):
        assert told in page
    assert "exactly who is scored, when, and how often" in page
    assert "on which side of every split each asked customer lies" in page


def test_a_job_stands_with_the_terms_of_its_contract(pair: Any) -> None:
    """Purpose, parties, columns, limits, expiry and signatures are those that all parties signed."""
    pair.score()
    (kept,) = ContractStore(database.connect(pair.bureau)).all()
    contracts = ContractStore(database.connect(pair.bureau))
    page = render(export(pair.bureau_ledger, contracts, pair.bureau, "0" * 64), pair.bureau)
    for told in (
        "<dt>purpose</dt><dd>not stated</dd>",
        "<dt>parties</dt><dd>bank, bureau</dd>",
        "<dd>of bureau: balance, delays</dd>",
        "<dd>alignment a1, model m1</dd>",
        f"at most {kept.contract.rows_per_hour:,} customers an hour",
        "<dt>signed by</dt><dd>bank, bureau</dd>",
        kept.digest.hex(),
    ):
        assert told in page
    assert "<dd>bureau: all that it offers</dd>" in render(exported(pair), pair.bank)


def test_the_page_asks_nothing_of_another_host(pair: Any) -> None:
    """No address, script or picture; the page forbids them besides."""
    page = render(exported(pair), pair.bank)
    assert re.findall(r"https?://|<script|<img|@import|url\(", page) == []
    assert "default-src 'none'" in page
    assert "The ledger has no job yet." in page


def test_what_a_peer_sent_is_no_markup(pair: Any) -> None:
    """Names from outside are escaped."""
    pair.score()
    whole = exported(pair)
    whole.jobs[0].peer = "<b>bureau"
    page = render(whole, pair.bank)
    assert "<b>bureau" not in page
    assert "&lt;b&gt;bureau" in page
