"""The doctor finds each thing that is broken on purpose, names a remedy, and leaves the healthy alone."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from parties import config as configuration
from parties.commands.cli import main
from parties.config import Config
from parties.contracts.contract_store import PROPOSED, REJECTED, WAITING, ContractStore
from parties.doctor import checks as doctor
from parties.feature.app import create_app
from parties.keys import identity, rotation, tls
from parties.label.party import LabelParty
from parties.ledger.entries import Ledger
from parties.link.transport import CONTENT_TYPE
from parties.storage import database
from parties.storage.peer_store import PeerStore
from vfl.wire.handshake import Welcome, encode_handshake

DAY = 86_400


def seen(config: Config, state: str = "fault") -> dict[str, str]:
    """What the doctor says of a state, by what it is about."""
    found = [one for one in doctor.examine(config.directory) if one.state == state]
    assert all(one.remedy for one in found if state != "ok")
    return {one.about: f"{one.text}: {one.remedy}" for one in found}


def edit(config: Config, old: str, new: str) -> None:
    file = config.directory / "party.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def joined(bank: Config, bureau: Config, serve: Any, join: Any) -> Config:
    """A label party whose peer is serving."""
    return join(bank, bureau, serve(bureau))


def test_a_healthy_party_has_no_fault(joined: Config) -> None:
    """Nothing is found wrong between two parties that have aligned, and what is fine is told."""
    with LabelParty(joined) as party:
        party.align(name="a1")
    found = doctor.examine(joined.directory)
    assert [one for one in found if one.state == "fault"] == []
    told = " | ".join(one.text for one in found)
    for said in (
        "alignment a1 is the same",
        "each side has the identity of the other",
        "jobs signed with peers 1",
        "in force 1, and none waits for anybody",
        "it allows us to align",
        "reached in",
        "200 rows",
        "good at both",
    ):
        assert said in told


@pytest.mark.parametrize(
    ("about", "harm", "said"),
    [
        ("files", lambda c: tls.files_of(c).key.chmod(0o644), "open to other users: chmod 600"),
        ("files", lambda c: c.directory.chmod(0o755), "open to other users: chmod 700"),
        ("identity", lambda c: identity.file_of(c).unlink(), "no key to sign with: vfl party identity"),
        ("identity", lambda c: identity.file_of(c).write_text("x"), "cannot be read as a key: restore it"),
        ("data", lambda c: Path(c.data.source).unlink(), "bank.csv"),
        ("data", lambda c: Path(c.data.source).write_text("customer_id,age,default\na,1,x\n"), "default"),
        ("certificate", lambda c: tls.files_of(c).certificate.write_text("x"), "do not belong together"),
        (
            "database",
            lambda c: _spoil(c.directory / "state" / "party.sqlite"),
            "correct|damaged|cannot be read",
        ),
        ("configuration", lambda c: (c.directory / "party.toml").write_text("[party]\n"), "mistake"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_is_broken_here_is_found(
    joined: Config, about: str, harm: Callable[[Config], Any], said: str
) -> None:
    """Each fault of this side is found and comes with a remedy."""
    (joined.directory / "state").mkdir(mode=0o700, exist_ok=True)
    harm(joined)
    found = seen(joined)
    assert about in found
    assert re.search(said, found[about])


def _spoil(file: Path) -> None:
    file.write_bytes(b"not a database" * 100)


def test_a_certificate_of_another_authority_is_found(joined: Config, bureau: Config, make_party: Any) -> None:
    """A certificate that the configured authority did not sign fails the handshake with ourselves."""
    other = make_party("other", "label", ca="other-ca")
    shutil.copy(tls.files_of(other).ca, tls.files_of(joined).ca)
    assert "is not accepted under" in seen(joined)["certificate"]


def test_what_is_wrong_with_a_peer_is_found(bank: Config, bureau: Config, serving: Any, join: Any) -> None:
    """Down, another certificate, another clock, nothing allowed, an alignment that it has no more."""
    with serving(bureau) as url:
        joined = join(bank, bureau, url)
        with LabelParty(joined) as party:
            party.align(name="a1")
        shutil.rmtree(bureau.directory / "state" / "alignments")
        assert "it does not have alignment a1: align again" in seen(joined, "warning")["peer bureau"]
    assert "is its server running" in seen(joined)["peer bureau"]
    peer = msgspec.structs.replace(bureau.peers["bank"], allow=["align"])
    strict = msgspec.structs.replace(bureau, peers={"bank": peer})
    with serving(strict, create_app(strict, clock=lambda: time.time() - 300)) as slow:
        edit(joined, url, slow)
        warnings = [one.text for one in doctor.examine(joined.directory) if one.state == "warning"]
        assert any("its clock is 300 s behind" in text for text in warnings)
        assert "it does not allow us to train, score" in warnings
    edit(joined, tls.fingerprint_of_file(tls.files_of(bureau).certificate), "0" * 64)
    with serving(bureau) as again:
        edit(joined, slow, again)
        assert "another certificate" in seen(joined)["peer bureau"]


def test_an_incompatible_peer_is_found(bank: Config, bureau: Config, serving: Any, join: Any) -> None:
    """The doctor says what both sides speak, and who has to upgrade."""

    def later_release(environ: Any, start: Any) -> list[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        frame = encode_handshake(Welcome([7], "9.0", time.time()))
        start("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(frame)))])
        return [frame]

    with serving(bureau, later_release) as url:
        assert "upgrade the older one" in seen(join(bank, bureau, url))["peer bureau"]


def test_a_feature_party_looks_at_its_server_and_grants(bureau: Config, serving: Any) -> None:
    """A server that is not there, or still shows the certificate of before a rotation, is told of."""
    with serving(bureau) as url:
        edit(bureau, "port = 0", f"port = {url.rpartition(':')[2]}")
        assert seen(bureau) == {}
        assert "it answers" in seen(bureau, "ok")["server"]
        assert Ledger(database.connect(bureau)).totals() == []  # no refusal that somebody is alerted of
        rotation.prepare_tls(bureau, bureau.directory.parent / "ca")
        assert "next TLS key waits" in seen(bureau, "warning")["certificate"]
        rotation.activate_tls(bureau)
        assert "restart it" in seen(bureau, "warning")["server"]
    assert "start it" in seen(bureau, "warning")["server"]


def test_the_command_ends_with_1_for_a_fault_alone(joined: Config) -> None:
    """Scripts read the exit status, or every finding as JSON."""
    fine = CliRunner().invoke(main, ["doctor", str(joined.directory), "--json"])
    assert fine.exit_code == 0, fine.output
    assert {"about", "state", "text", "remedy"} == set(json.loads(fine.output)[0])
    tls.files_of(joined).key.chmod(0o644)
    harmed = CliRunner().invoke(main, ["doctor", str(joined.directory)])
    assert harmed.exit_code == 1
    assert "-> chmod 600" in harmed.output
    assert configuration.load(joined.directory)


def test_the_doctor_opens_no_job(joined: Config, bureau: Config) -> None:
    """Looking at a peer leaves no job and no alignment behind."""
    doctor.examine(joined.directory)
    assert not (bureau.directory / "state" / "alignments").exists()
    assert not PeerStore(bureau, "bank", None).has("alignment", "a1")  # type: ignore[arg-type]


def test_identities_that_were_not_exchanged_are_found(
    joined: Config, bureau: Config, make_party: Any
) -> None:
    """A missing or wrong identity, of either side at the other one, would fail the first contract."""
    ours, theirs = (identity.load(config).public for config in (joined, bureau))
    edit(joined, f'identity = "{theirs}"\n', "")
    assert "write the identity that `vfl party show` prints" in seen(joined)["peer bureau"]
    edit(joined, "[peers.bureau]\n", f'[peers.bureau]\nidentity = "{ours}"\n')
    assert "it signs with another identity" in seen(joined)["peer bureau"]
    edit(joined, ours, theirs.upper())
    assert seen(joined) == {}
    identity.file_of(joined).unlink()
    identity.create(identity.file_of(joined))
    identity.file_of(bureau).unlink()
    told = [one.text for one in doctor.examine(joined.directory) if one.state == "fault"]
    assert told == ["it has no key to sign with", "it has another identity of ours configured"]
    edit(bureau, f'identity = "{ours}"\n', "")
    assert "write the identity" in seen(bureau)["peer bank"]


def test_contracts_that_wait_for_somebody_are_found(bank: Config, bureau: Config, drafted: Any) -> None:
    """Each side is told what to do about a contract that waits, and of none that is over."""
    asked = drafted(bank, bureau, "train", model="m1", alignment="a1")
    over = drafted(bank, bureau, "train", model="m2", alignment="a1", expires=asked.created - 1)
    here, there = ContractStore(database.connect(bureau)), ContractStore(database.connect(bank))
    for one in (asked, over):
        here.add("bank", one, state=WAITING, needed=2)
        there.add("bureau", one, state=PROPOSED)
    digits = asked.digest().hex()[:12]
    found = seen(bureau, "warning")["contracts"]
    assert f"{digits} (train m1, bank) waits for people: 2 to approve it: vfl contracts show" in found
    assert "m1, bureau) waits for bureau: ask their people" in seen(bank, "warning")["contracts"]
    for person in ("alice", "bob"):
        here.decide(asked.digest(), person, "approved", b"")
    assert "is approved, and not signed yet: ask bank to run" in seen(bureau, "warning")["contracts"]
    here.set_state(asked.digest(), REJECTED)
    assert "contracts" not in seen(bureau, "warning")


def test_contracts_that_end_soon_are_found_while_work_goes_on(
    bank: Config, bureau: Config, signed: Any
) -> None:
    """A week ahead, of scoring that has no later contract and of trainings that have not ended."""

    def warned() -> list[str]:
        return [one.text for one in doctor.examine(bureau.directory) if one.about == "contracts"]

    now = int(time.time())
    signed(bank, bureau, "align", alignment="a1", expires=now + 3 * DAY + 60)
    signed(bank, bureau, "score", model="m1", alignment="a1", expires=now + 8 * DAY)
    assert warned() == ["in force 2, and none waits for anybody"]
    signed(bank, bureau, "score", model="m2", alignment="a1", expires=now + 3 * DAY + 60)
    signed(bank, bureau, "train", model="m3", alignment="a1", expires=now + 2 * DAY + 60)
    assert [text.partition("(")[2] for text in sorted(warned(), key=lambda text: text[13:])] == [
        "score m2, bank) expires in 3 days",
        "train m3, bank) expires in 2 days",
    ]
    signed(bank, bureau, "score", model="m2", alignment="a1", expires=now + 30 * DAY)
    (bureau.directory / "state/parts/bank").mkdir(parents=True)
    (bureau.directory / "state/parts/bank/m3.json").write_text("{}")
    assert warned() == ["in force 5, and none waits for anybody"]


def test_a_ledger_that_was_changed_is_found(joined: Config) -> None:
    """One changed field of one entry is a fault, named as `vfl audit verify` names it."""
    with LabelParty(joined) as party:
        party.align(name="a1")
    with database.connect(joined).begin() as connection:
        connection.execute(
            sa.update(database.ledger).values(outcome="no").where(database.ledger.c.entry == 2)
        )
    assert "entry 2 was changed" in seen(joined)["ledger"]
    assert "vfl audit verify" in seen(joined)["ledger"]
