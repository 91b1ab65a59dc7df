"""The checks of `vfl doctor`: what is wrong with a party, or soon will be, each with its remedy.

Here are the checks of files, keys, certificates, data, ledger and contracts; those of peers are in
`parties.doctor.peer_checks`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from parties import config as configuration
from parties.config import FILE, Config
from parties.contracts.contract_store import (
    PROPOSED,
    REJECTED,
    SIGNED,
    WAITING,
    ContractStore,
    StoredContract,
)
from parties.data import check
from parties.data.rows import Source
from parties.doctor import peer_checks
from parties.doctor.findings import Finding, fault
from parties.keys import expiry, identity, rotation, tls
from parties.keys import paillier as keys
from parties.ledger import audit
from parties.ledger.entries import Ledger
from parties.storage import database
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from parties.telemetry.versions import version_of
from vfl.crypto.kernel import kernel_name
from vfl.errors import VflError
from vfl.wire.handshake import SPOKEN

FREE_BYTES = 2 * 10**9
EXPIRY_SECONDS = 7 * 86_400
"""Contracts that end sooner are told of: time enough for people to approve the next one."""


def examine(directory: Path) -> list[Finding]:
    """Return all findings on a party directory; without a readable configuration there is one only."""
    try:
        config = configuration.load(directory)
    except VflError as error:
        return [fault("configuration", error)]
    findings = [Finding("configuration", "ok", f"{config.party.name}, a {config.party.role} party")]
    checks: list[tuple[str, Callable[[Config], Iterator[Finding]]]] = [
        ("versions", _versions),
        ("files", _files),
        ("identity", _identity),
        ("paillier key", _paillier),
        ("certificate", _certificate),
        ("data", _data),
        ("database", _database),
        ("disk", _disk),
        ("peers", peer_checks.peers if config.party.role == "label" else peer_checks.grants),
    ]
    for about, look in checks:
        try:
            findings += look(config)
        except VflError as error:
            findings.append(fault(about, error))
    return findings


def _versions(config: Config) -> Iterator[Finding]:
    text = f"package {version_of('vfl')}, protocol {', '.join(map(str, SPOKEN))}, kernel {kernel_name()}"
    if kernel_name().startswith("native"):
        yield Finding("versions", "ok", text)
    else:
        yield Finding(
            "versions", "warning", text, "install a C++ compiler, and vfl again: this kernel is slow"
        )


def _files(config: Config) -> Iterator[Finding]:
    files = tls.files_of(config)
    secret = [config.directory, config.directory / FILE, files.key, identity.file_of(config)]
    secret += [config.path(config.store.directory), config.path(config.crypto.key_file)]
    if config.crypto.password_file:
        secret.append(config.path(config.crypto.password_file))
    present = [path for path in dict.fromkeys(secret) if path.exists()]
    open_to_others = [path for path in present if path.stat().st_mode & 0o077]
    for path in open_to_others:
        mode = "700" if path.is_dir() else "600"
        yield Finding("files", "fault", f"{path} is open to other users", f"chmod {mode} {path}")
    if not open_to_others:
        yield Finding("files", "ok", f"{len(present)} files and directories are their owner's alone")


def _identity(config: Config) -> Iterator[Finding]:
    if not identity.file_of(config).exists():
        remedy = f"vfl party identity {config.directory}, and tell your peers"
        yield Finding("identity", "fault", "there is no key to sign with", remedy)
    else:
        yield Finding("identity", "ok", identity.load(config).public)


def _paillier(config: Config) -> Iterator[Finding]:
    if config.party.role != "label":
        return
    if not config.path(config.crypto.key_file).exists():
        yield Finding("paillier key", "ok", "the first training makes it")
    elif not os.environ.get(keys.PASSWORD_VARIABLE) and config.crypto.password_file is None:
        remedy = f"set {keys.PASSWORD_VARIABLE} and look again"
        yield Finding("paillier key", "warning", "not opened: there is no password", remedy)
    else:
        bits = keys.private_key(config).public_key.n.bit_length()
        yield Finding("paillier key", "ok", f"it opens; {bits} bits")


def _certificate(config: Config) -> Iterator[Finding]:
    files = tls.files_of(config)
    rotation.check_pair(files)
    ends = expiry.expiries(config)
    for certificate in ends:
        if text := certificate.warning():
            yield Finding("certificate", "warning", text, "see docs/operations.md, Rotate keys")
    if rotation.next_files(config).key.exists():
        remedy = "once your peers expect it: vfl party rotate-tls --activate"
        yield Finding("certificate", "warning", "a next TLS key waits", remedy)
    days = min(certificate.days() for certificate in ends)
    text = f"good at both ends, for {days:.0f} days: {tls.fingerprint_of_file(files.certificate)}"
    yield Finding("certificate", "ok", text)


def _data(config: Config) -> Iterator[Finding]:
    report = check.check(config)
    for problem in report.problems:
        text, _, remedy = problem.text.rpartition("; ")
        yield Finding("data", "fault", f"{problem.column}: {text or remedy}", remedy if text else "fix it")
    if not report.problems:
        yield Finding("data", "ok", f"{report.usable_rows:,} rows, {len(report.missing)} columns")


def _database(config: Config) -> Iterator[Finding]:
    restore = "restore the state directory from a backup"
    engine = database.connect(config)
    try:
        with engine.connect() as connection:
            connection.execute(sa.select(sa.func.count()).select_from(database.contracts))
            sound = (
                engine.dialect.name != "sqlite"
                or connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
            )
        if sound not in (True, "ok"):
            yield Finding("database", "fault", "it is damaged", restore)
            return
        yield Finding("database", "ok", f"{engine.dialect.name}, readable")
        yield from _ledger(config, engine)
        yield from _contracts(config, engine)
    except sa.exc.SQLAlchemyError as error:
        yield Finding("database", "fault", f"it cannot be read ({type(error).__name__})", restore)
    finally:
        engine.dispose()


def _ledger(config: Config, engine: sa.Engine) -> Iterator[Finding]:
    """Audit the ledger as `vfl audit verify` does; what is wrong first is told."""
    if not identity.file_of(config).exists():
        return  # told of already
    peers = {name: peer.identity for name, peer in config.peers.items()}
    verdict = audit.verify(Ledger(engine), ContractStore(engine), identity.load(config).public, peers)
    if verdict.findings:
        remedy = f"stop, find out who did that, and compare with peers: vfl audit verify {config.directory}"
        yield Finding("ledger", "fault", verdict.findings[0].text, f"{remedy} --against THEIR_EXPORT")
    else:
        yield Finding(
            "ledger", "ok", f"whole: entries {verdict.entries:,}, jobs signed with peers {verdict.signed:,}"
        )


def _contracts(config: Config, engine: sa.Engine) -> Iterator[Finding]:
    """Look for contracts that people have to do something about; those that ended are nobody's business."""
    stored = ContractStore(engine).all()
    now = time.time()
    open_ones = [one for one in stored if one.contract.expires > now and one.state != REJECTED]
    findings = [finding for one in open_ones if (finding := _wanting(config, one, open_ones))]
    yield from findings
    signed = sum(one.state == SIGNED for one in open_ones)
    if not findings:
        yield Finding("contracts", "ok", f"in force {signed:,}, and none waits for anybody")


def _wanting(config: Config, one: StoredContract, among: list[StoredContract]) -> Finding | None:
    """Return what people have to do about a contract, if anything."""
    contract, digits = one.contract, one.digest.hex()[:12]
    what = f"{digits} ({contract.action} {contract.subject}, {one.peer})"
    if one.state == WAITING:
        missing = one.needed - len(one.approved_by(config.approvers))
        if missing > 0:
            remedy = f"vfl contracts show {config.directory} {digits}; then vfl contracts approve or reject"
            return Finding(
                "contracts", "warning", f"{what} waits for people: {missing} to approve it", remedy
            )
        remedy = f"ask {one.peer} to run its command again"
        return Finding("contracts", "warning", f"{what} is approved, and not signed yet", remedy)
    if one.state == PROPOSED:
        parties = contract.feature_parties
        unsigned = ", ".join(each.name for each in parties if each.identity.hex() not in one.signatures)
        remedy = "ask their people about it, then run the command again"
        return Finding("contracts", "warning", f"{what} waits for {unsigned or 'this party'}", remedy)
    left = contract.expires - time.time()
    if left > EXPIRY_SECONDS or not _goes_on(config, one, among):
        return None
    remedy = "the software proposes the next one in its last tenth; approve it in time"
    return Finding("contracts", "warning", f"{what} expires in {left / 86_400:.0f} days", remedy)


def _goes_on(config: Config, one: StoredContract, among: list[StoredContract]) -> bool:
    """Return whether work under a contract is still to come: scoring, and a training that has not ended."""
    contract = one.contract
    if contract.action == "score":
        return not any(
            other.contract.expires > contract.expires
            and (other.contract.action, other.contract.subject) == ("score", contract.subject)
            for other in among
            if other.state == SIGNED and other.peer == one.peer
        )
    if contract.action != "train" or contract.model is None:
        return False
    if config.party.role == "label":
        return not ModelStore(config).has_model(contract.model)
    return not PeerStore(config, one.peer, Source(config)).has("part", contract.model)


def _disk(config: Config) -> Iterator[Finding]:
    state = config.path(config.store.directory)
    if not os.access(state, os.W_OK):
        yield Finding("disk", "fault", f"{state} cannot be written", "mount it writable, for this user")
        return
    free = shutil.disk_usage(state).free
    text = f"{free / 1e9:,.1f} GB free at {state}"
    if free < FREE_BYTES:
        yield Finding("disk", "warning", text, "free some: trainings on many rows need it")
    else:
        yield Finding("disk", "ok", text)
