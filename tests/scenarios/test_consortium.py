"""Institutions as processes: what they may leave behind, and what they say when something fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from parties import config as configuration
from scenarios.consortium import Consortium, Institution, working_directory
from scenarios.processes import CommandFailed


def is_listening(consortium: Consortium) -> bool:
    port = configuration.load(consortium.path("bureau")).server.port
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_parties_trust_each_other_and_nobody_else(consortium: Consortium) -> None:
    """Founding gives every party the other's certificate, and the bureau grants the bank what it said."""
    bank, bureau = (configuration.load(consortium.path(name)) for name in ("bank", "bureau"))
    assert list(bank.peers) == ["bureau"]
    assert list(bureau.peers) == ["bank"]
    assert bureau.peers["bank"].allow == ["align", "train", "score", "export"]
    assert bank.crypto.key_bits == 2048


def test_traffic_is_what_both_ledgers_say(consortium: Consortium) -> None:
    """The bytes that the bank sent and received are the bytes that the bureau received and sent."""
    told = consortium.traffic()["bureau"]
    lines = consortium.run("audit", "show", "bureau", "--json", party="bureau")
    totals = [total for total in json.loads(lines) if total["direction"] == "in"]
    assert told["bytes_sent"] == sum(total["request_bytes"] for total in totals) > 0
    assert told["bytes_received"] == sum(total["reply_bytes"] for total in totals) > 0


def test_memory_is_measured_for_every_party(consortium: Consortium) -> None:
    """Commands and servers count towards the peak of their own institution."""
    assert set(consortium.peak_mb) == {"bank", "bureau"}
    assert all(10 < peak < 4_000 for peak in consortium.peak_mb.values())


def test_a_failed_command_raises(consortium: Consortium) -> None:
    """A command that fails raises with the command as typed and its exit status."""
    with pytest.raises(CommandFailed, match=r"vfl train bank --alignment unknown.*exit status 1"):
        consortium.run("train", "bank", "--alignment", "unknown")


def test_no_server_outlives_an_error(consortium: Consortium) -> None:
    """Servers answer inside the block, and are gone after it even where it ended with an error."""

    def fail() -> None:
        assert is_listening(consortium)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"), consortium.serving():
        fail()
    assert not is_listening(consortium)


def test_a_server_that_cannot_start_is_told(consortium: Consortium) -> None:
    """Where the port is taken the scenario says which server failed and where its log is."""
    port = configuration.load(consortium.path("bureau")).server.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(CommandFailed, match="bureau"), consortium.serving():
            pass


def test_no_server_outlives_sigterm(consortium: Consortium) -> None:
    """A program that is terminated stops its servers first."""
    program = (
        "from pathlib import Path\n"
        "from scenarios.consortium import *\n"
        f"parts = [Institution(n, Path('x'), label=l) for n, l in (('bank', 'y'), ('bureau', None))]\n"
        f"with Consortium(Path({str(consortium.directory)!r}), parts).serving():\n"
        "    print('serving', flush=True)\n"
        "    __import__('time').sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout.readline() == b"serving\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    time.sleep(0.1)
    assert not is_listening(consortium)


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    """--out never writes among other files."""
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(click.UsageError, match="choose a new directory"):
        working_directory(tmp_path, None)


def test_roles_follow_from_the_label() -> None:
    """The institution with a label is the label party, the others are feature parties."""
    assert Institution("bank", Path("bank.csv"), label="fraud").role == "label"
    assert Institution("telco", Path("telco.csv")).role == "feature"
