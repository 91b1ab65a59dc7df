"""``vfl info``: what a report of a fault needs."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import PackageNotFoundError, version

import click

from parties.commands.output import example, json_option, show
from vfl.crypto.kernel import kernel_name


@click.command(epilog=example("vfl info"))
@json_option
def info(as_json: bool) -> None:
    """Print versions, which cryptographic kernel runs, and on how many threads."""
    packages = ["vfl", "numpy", "xgboost-cpu", "cryptography", "gmpy2", "rbcl", "cheroot", "httpx"]
    facts = {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, "kernel": kernel_name()}
    facts |= {"threads": str(os.cpu_count())}
    show(facts | {package: _version(package) for package in packages}, as_json)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
