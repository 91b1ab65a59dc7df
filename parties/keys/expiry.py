"""When certificates end, with warnings early enough to renew them."""

from __future__ import annotations

import datetime
import logging
import threading
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from parties.config import Config
from parties.keys import tls
from parties.telemetry.logs import event
from vfl.errors import ConfigError

WARN_DAYS = 30
EVERY_SECONDS = 86_400.0


class Expiry(NamedTuple):
    """When a certificate of this party ends, in UTC."""

    name: str
    file: Path
    ends: datetime.datetime

    def days(self) -> float:
        """Return how many days are left, negative where it has ended."""
        return (self.ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86_400

    def warning(self) -> str:
        """Return what to say about it, an empty text while there is time."""
        days = self.days()
        if days >= WARN_DAYS:
            return ""
        when = f"ends in {days:.0f} days" if days >= 0 else f"ended {-days:.0f} days ago"
        remedy = "get a new one from your authority" if self.name == "authority" else "renew it"
        return f"{self.file.name} ({self.name}) {when}, on {self.ends:%Y-%m-%d}; {remedy}: docs/operations.md"


def expiries(config: Config) -> list[Expiry]:
    """Return the ends of the party's certificates, the first of each file that ends.

    Raises:
        ConfigError: a file is missing or holds no certificate.
    """
    files = tls.files_of(config)
    named = {"certificate": files.certificate, "authority": files.ca}
    if config.api.certificate:
        named["api"] = config.path(config.api.certificate)
    return [Expiry(name, file, _end(file)) for name, file in named.items()]


def warn(config: Config) -> None:
    """Log a warning for each certificate that ends within ``WARN_DAYS``."""
    try:
        for expiry in expiries(config):
            if text := expiry.warning():
                level = logging.ERROR if expiry.days() < 0 else logging.WARNING
                event(level, "certificate", text)
    except ConfigError as error:
        event(logging.ERROR, "certificate", str(error))


class Watch:
    """Warns at once, and then every day, while it is entered.

    Args:
        seconds: between two warnings.
    """

    def __init__(self, config: Config, seconds: float = EVERY_SECONDS) -> None:
        self._config, self._seconds = config, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def __enter__(self) -> Watch:
        warn(self._config)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            warn(self._config)


def _end(file: Path) -> datetime.datetime:
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        raise ConfigError(f"{file} holds no certificate; put the one your authority signed there") from None
    return min(certificate.not_valid_after_utc for certificate in certificates)
