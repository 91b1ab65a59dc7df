"""An algorithm from outside goes the whole way; in a process of its own, where `vfl.jobs` may learn of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROOF = Path(__file__).with_name("proof.py")


def test_an_algorithm_from_outside_needs_no_edit_anywhere() -> None:
    """Contract, training, scoring, serving, audit and export know it by its descriptor alone."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PROOF)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROOF.parents[2])
    assert ended.returncode == 0, ended.stdout + ended.stderr
