"""``vfl party serve``: it says where it listens, and stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from parties.config import Config


def test_a_served_party_stops_on_sigterm(bureau: Config) -> None:
    """`vfl party serve` says where it listens, and ends with exit code 0 when it is told to stop."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "parties", "party", "serve", str(bureau.directory)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert process.stdout is not None
    assert "bureau listens on https://127.0.0.1:" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    process.stdout.close()
