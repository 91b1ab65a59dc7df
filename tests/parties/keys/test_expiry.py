"""Certificates that are about to end are told in time, whatever their end."""

from __future__ import annotations

import datetime
import logging
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from parties.config import Config
from parties.keys import expiry, tls


def shorten(config: Config, days: float) -> None:
    """Give a party a certificate of its authority that ends in some days."""
    files = tls.files_of(config)
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    request = tls.signing_request(key, config.party.name, ["localhost"])  # type: ignore[arg-type]
    certificate = tls.issue(tls.development_authority(config.directory.parent / "ca"), request, days)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("days", "said"),
    [(31.5, None), (29.5, r"ends in \d+ days, on 20\d\d-\d\d-\d\d; renew it"), (-0.02, "ended 0 days ago")],
)
def test_a_certificate_is_told_of_thirty_days_ahead(
    bank: Config, caplog: Any, days: float, said: str | None
) -> None:
    """Nothing is said with 31 days to go; with 29 a warning, after the end an error, each with its remedy."""
    shorten(bank, days)
    expiry.warn(bank)
    levels = [record.levelno for record in caplog.records]
    assert levels == ([] if said is None else [logging.WARNING if days > 0 else logging.ERROR])
    assert re.search(said or "^$", caplog.text)


def test_ends_are_those_of_the_files(bank: Config) -> None:
    """The party's certificate and its authority's are looked at, in UTC."""
    found = {each.name: each for each in expiry.expiries(bank)}
    assert set(found) == {"certificate", "authority"}
    assert found["certificate"].ends.tzinfo is datetime.timezone.utc
    assert 364 < found["certificate"].days() < 366


def test_a_server_looks_at_the_start_and_every_day(bank: Config, caplog: Any) -> None:
    """The watch warns before it returns, and again as time passes; it ends with the server."""
    shorten(bank, 3)
    with expiry.Watch(bank, seconds=0.01) as watch:
        assert len(caplog.records) >= 1
        while len(caplog.records) < 3:
            pass
    assert not watch._thread.is_alive()


def test_a_missing_certificate_is_told_and_stops_nothing(bank: Config, caplog: Any) -> None:
    """A watch goes on where a file is replaced at the wrong moment."""
    tls.files_of(bank).certificate.unlink()
    expiry.warn(bank)
    assert "holds no certificate" in caplog.text
