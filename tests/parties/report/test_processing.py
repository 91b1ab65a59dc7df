"""The page of processing: readable without any other host, and nothing in it is taken for markup."""

from __future__ import annotations

import re
from typing import Any

from parties import identity
from parties.processing import export
from parties.report.processing import render


def test_the_page_names_every_job_and_what_it_revealed(pair: Any) -> None:
    """Purpose, peer, times, signatures, and each kind of message with what it reveals."""
    job = pair.score()
    page = render(export(pair.bank_ledger, "bank", identity.load(pair.bank).public), pair.bank)
    for told in (job, "scoring customers with a model", "bureau", "signed by both parties", "Article 30"):
        assert told in page
    assert "exactly who is scored, when, and how often" in page
    assert "on which side of every split each asked customer lies" in page


def test_the_page_asks_nothing_of_another_host(pair: Any) -> None:
    """No address, script or picture; the page forbids them besides."""
    page = render(export(pair.bank_ledger, "bank", "0" * 64), pair.bank)
    assert re.findall(r"https?://|<script|<img|@import|url\(", page) == []
    assert "default-src 'none'" in page
    assert "The ledger has no job yet." in page


def test_what_a_peer_sent_is_no_markup(pair: Any) -> None:
    """Names from outside are escaped."""
    pair.score()
    whole = export(pair.bank_ledger, "bank", "0" * 64)
    whole.jobs[0].peer = "<b>bureau"
    page = render(whole, pair.bank)
    assert "<b>bureau" not in page
    assert "&lt;b&gt;bureau" in page
