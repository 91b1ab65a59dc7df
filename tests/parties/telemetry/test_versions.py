"""Versions of packages, for reports of faults."""

from __future__ import annotations

import numpy as np

from parties.telemetry.versions import version_of


def test_a_package_has_a_version_or_is_not_installed() -> None:
    """Never an error: the report goes on."""
    assert version_of("numpy") == np.__version__
    assert version_of("no-such-package-here") == "not installed"
