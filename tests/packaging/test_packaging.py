"""What the package is deployed with: the unit as systemd reads it, the image's recipe, and the rehearsal."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parties import config as configuration
from parties.commands.cli import main
from parties.doctor import checks as doctor

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "systemd" / "vfl@.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = [part for part in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE) if part.startswith("FROM")]

yaml = pytest.importorskip("yaml", reason="PyYAML reads compose.yaml; it comes with the extra 'test'")


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of compose.yaml, merges resolved."""
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"])


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Every directive of the unit is one that systemd knows."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    text = (
        UNIT.read_text(encoding="utf-8").replace("/opt/vfl/bin/vfl", "/bin/true").replace("=vfl\n", "=root\n")
    )
    unit.write_text(text, encoding="utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit).replace("@.", "@telco.")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line for line in told.stderr.splitlines() if "vfl@" in line] == []
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(UNIT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-500:]


def test_the_unit_serves_and_gives_work_time_to_end() -> None:
    """The unit runs a command that exists as a user of its own, and waits longer than a stop takes."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["party", "serve", "/var/lib/vfl/%i"]
    assert service["User"] == "vfl"
    assert service["ProtectSystem"] == "strict"
    assert int(service["TimeoutStopSec"]) > 30


def test_the_image_is_slim_and_its_user_is_nobody_special() -> None:
    """The last stage has no compiler, ends as a user that is not root, and tells whether it is healthy."""
    build, last = STAGES
    assert build.startswith("FROM python:3.12-slim AS build")
    assert last.startswith("FROM python:3.12-slim\n")
    assert "VFL_NATIVE=1" in build
    assert '"kernel": "native' in build
    assert "apt-get" not in last
    users = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert users == ["10001:10001"]
    assert last.index("COPY --from=build") < last.index("USER ")
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["vfl"\]$', last, re.MULTILINE)


def test_the_image_gets_what_it_is_built_from_and_nothing_else() -> None:
    """Every path that is copied exists and is let through to the builder, which sees no other."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        path
        for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE)
        for path in line.split()[:-1]
    }
    assert ignore[1] == "*"
    assert copied == let_through
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_healthcheck_asks_the_port_of_metrics(tmp_path: Path) -> None:
    """The program of the health check ends with 0 where /healthz answers, and not where nobody does."""
    from parties.config.settings import Data, Party
    from parties.link.metrics import PartyMetrics, operations
    from parties.link.server import OperationsServer

    found = re.search(r'^    CMD \["python", "-c", "(.*)"\]$', DOCKERFILE, re.MULTILINE)
    assert found
    data = Data(source="x.csv", keys={"k": "k"}, recipe=["k: strip"])
    party = Party(name="x", role="feature")
    config = configuration.Config(directory=tmp_path, party=party, data=data, model=None)
    with OperationsServer(config, operations(PartyMetrics().registry)) as server:
        environment = os.environ | {"VFL_METRICS_PORT": str(server.bind_addr[1])}
        command = [sys.executable, "-c", found[1]]
        assert subprocess.run(command, env=environment, check=False).returncode == 0
    ended = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode != 0


def test_no_institution_has_anothers_volume(services: dict[str, Any]) -> None:
    """Each server has its own directory alone, a read-only root, no capability, no way to the other."""
    parties = {name: service for name, service in services.items() if name != "rehearse"}
    for service in parties.values():
        (volume,) = service["volumes"]
        owner = volume.partition(":")[0]
        assert volume == f"{owner}:/var/lib/vfl/{owner}"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "user" not in service
        assert "ports" not in service
        assert main.get_command(None, service.get("command", ["party"])[0])  # type: ignore[arg-type]
    assert not {*services["telco"]["networks"]} & {*services["processor"]["networks"]}
    networks = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["networks"]
    assert all(network["internal"] for network in networks.values())
    assert services["rehearse"]["network_mode"] == "none"


def test_three_institutions_are_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the containers start from is three parties that know each other, with nothing wrong."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, module in (("python", ""), ("vfl", "-m parties ")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module}"$@"\n')
        (tools / name).chmod(0o755)
    root = tmp_path / "state"
    root.mkdir()
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "ROWS": "200",
        "OWNER": f"{os.getuid()}:{os.getgid()}",
    }  # fmt: skip
    for _ in range(2):  # a second start changes nothing
        subprocess.run(
            ["sh", ROOT / "packaging" / "rehearse.sh", root],
            env=environment, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    for name in ("bank", "telco", "processor"):
        config = configuration.load(root / name)
        assert (config.metrics.port, config.log.format) == (9100, "json")
        faults = {one.about for one in doctor.examine(root / name) if one.state == "fault"}
        assert {about for about in faults if not about.startswith("peer ")} == set()
    assert configuration.load(root / "bank").peers["telco"].url == "https://telco:8443"
    grant = configuration.load(root / "telco").peers["bank"]
    assert grant.allow == ["align", "train", "score"]
    assert grant.purposes == [configuration.load(root / "bank").contract.purpose]
