"""Versions of what is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def version_of(package: str) -> str:
    """Return the version of an installed package, or ``not installed``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
