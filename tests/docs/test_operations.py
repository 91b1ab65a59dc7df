"""The commands of docs/operations.md as they stand there, from nothing to new keys and a restored backup.

What belongs to a host (users, services, the virtual environment) is stood in for: `sudo` runs the command as
it is, `systemctl` starts what the unit file says, installing the package is skipped. Names of hosts become
the loopback address, ports free ones, and the directories of the system a temporary one.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)

SUDO = """\
while [ $# -gt 0 ]; do
    case "$1" in -u) shift 2 ;; --preserve-env=*) shift ;; *) break ;; esac
done
exec "$@"
"""
INSTALL = """\
set -- $(printf '%s\\n' "$@" | sed -e '/^-[og]$/,+1d')
exec /usr/bin/install "$@"
"""
PYTHON = """\
case "$*" in "-m pip install"*) exit 0 ;; esac
exec {python} "$@"
"""
SYSTEMCTL = """\
verb=$1; for unit; do :; done
[ "$verb" = daemon-reload ] && exit 0
signal=TERM; [ "$verb" = kill ] && signal=KILL
name=${{unit#vfl@}}; pid={root}/$name.pid; log={root}/$name.log
stop() {{
    [ -e $pid ] || return 0
    kill -$signal $(cat $pid)
    for _ in $(seq 400); do kill -0 $(cat $pid) 2>/dev/null || break; sleep 0.1; done
    kill -KILL $(cat $pid) 2>/dev/null && {{ echo "$name did not stop" >&2; rm $pid; exit 1; }}
    rm $pid
}}
start() {{
    command=$(sed -n 's/^ExecStart=//p' {units}/vfl@.service)
    command=$(echo "$command" | sed "s/%i/$name/; s#/opt/vfl/bin#{bin}#; s#/var/lib/vfl#{state}#")
    : > {root}/$name.out
    setsid $command < /dev/null > {root}/$name.out 2>> $log & echo $! > $pid
    for _ in $(seq 300); do
        grep -q 'listens on' {root}/$name.out && return
        kill -0 $(cat $pid) 2>/dev/null || {{ cat $log >&2; rm $pid; exit 1; }}
        sleep 0.1
    done
    exit 1
}}
case "$verb" in
    enable) start ;; start) start ;; stop) stop ;; restart) stop; start ;;
    kill) stop; start ;; # the unit says Restart=on-failure
    *) exit 64 ;;
esac
"""
JOURNALCTL = """\
for argument; do case $argument in vfl@*) cat {root}/${{argument#vfl@}}.log ;; esac; done
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Host:
    """A directory that stands for both hosts, with the commands of a system in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin, self.state, self.units = root, root / "bin", root / "state", root / "units"
        for directory in (self.bin, self.units):
            directory.mkdir(parents=True)
        places = {"root": root, "bin": self.bin, "state": self.state, "units": self.units}
        self._add("sudo", SUDO)
        self._add("install", INSTALL)
        self._add("python", PYTHON.format(python=sys.executable))
        self._add("python3", 'case "$*" in "-m venv /opt"*) exit 0 ;; esac\nexit 64\n')
        self._add("vfl", f'exec {sys.executable} -m parties "$@"\n')
        self._add("useradd", "exit 0\n")
        self._add("systemctl", SYSTEMCTL.format(**places))
        self._add("journalctl", JOURNALCTL.format(**places))
        self.substitutes = {
            "/opt/vfl/bin": str(self.bin),
            "/var/lib/vfl": str(self.state),
            "/etc/systemd/system": str(self.units),
            "telco.example": "127.0.0.1",
            "8443": str(free_port()),
            "9443": str(free_port()),
            "9100": str(free_port()),
            "packaging/": f"{ROOT}/packaging/",
        }

    def _add(self, name: str, script: str) -> None:
        file = self.bin / name
        file.write_text(f"#!/bin/bash\n{script}")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        for told, here in self.substitutes.items():
            script = script.replace(told, here)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VFL_")}
        environment |= {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "",
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.root, env=environment, capture_output=True, text=True, timeout=570, check=False,
        )  # fmt: skip

    def stop(self) -> None:
        for pid in self.root.glob("*.pid"):
            self.run(f"systemctl stop vfl@{pid.stem}")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    missing = [tool for tool in ("openssl", "curl", "jq", "tar", "setsid") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    made = Host(tmp_path / "host")
    yield made
    made.stop()


def test_every_command_of_the_document_works(host: Host) -> None:
    """By the document two organisations score, approve, outlive a crash, audit, rotate keys and restore."""
    # The API's port is the default one, which the document has no reason to configure.
    port = f"\n[api]\nport = {host.substitutes['9443']}\n"
    configured = [f"printf '{port}' >> {host.state}/bank/party.toml\n"]
    steps = []
    for number, block in enumerate(BLOCKS, start=1):
        steps.append(f"echo '=== block {number}' >&2\n{block}")
        if "--role label" in block:
            steps += configured
    done = host.run("\n".join(steps))
    assert done.returncode == 0, done.stdout[-1_500:] + done.stderr[-3_000:]
    assert len((host.state / "data" / "scores.csv").read_text().splitlines()) > 90
    assert "SumRoot" in done.stdout
    assert done.stdout.count("ask the telco's people") == 1
    assert re.search(r"^model fraud-2: 30 trees", done.stdout, re.MULTILINE)
    assert done.stdout.count("whole: nothing was changed") == 2
    assert "FINDING" not in done.stdout
    assert "<h1" in (host.state / "data" / "processing.html").read_text()
    assert 'vfl_certificate_end_timestamp_seconds{certificate="authority"}' in done.stdout
    assert "FAULT" not in done.stdout
    host.stop()
    assert '"event": "stopped"' in (host.root / "telco.log").read_text()


def test_every_block_is_run_or_of_a_machine_that_tests_have_not() -> None:
    """Commands stand in blocks that the test runs; what needs a Docker daemon is shown as a console."""
    others = set(re.findall(r"^```(\w+)$", DOCUMENT, re.MULTILINE)) - {"sh"}
    assert others == {"console"}
    shown = re.findall(r"^\$ (.*)$", DOCUMENT, re.MULTILINE)
    assert [line for line in shown if not line.startswith("docker compose ")] == []
