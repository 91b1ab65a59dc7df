"""``vfl info``: what a report of a fault needs."""

from __future__ import annotations

import os
import platform
import ssl

import click

from parties.commands.output import example, json_option, show
from parties.telemetry.versions import version_of
from vfl.crypto.kernel import kernel_name


@click.command(epilog=example("vfl info"))
@json_option
def info(as_json: bool) -> None:
    """Print versions, which cryptographic kernel runs, and on how many threads."""
    packages = ["vfl", "numpy", "xgboost-cpu", "cryptography", "gmpy2", "rbcl", "cheroot", "httpcore"]
    facts = {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, "kernel": kernel_name()}
    facts |= {"threads": str(os.cpu_count())}
    show(facts | {package: version_of(package) for package in packages}, as_json)
