"""What is wrong with a party, or soon will be, before a job finds out: each finding with its remedy.

Looks at files, keys, certificates, data, database and peers. A peer is sent one Hello, which opens no job.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import sqlalchemy as sa

from parties import check, database, expiry, identity, keys, rotation, tls
from parties import config as configuration
from parties.archive import Archive
from parties.config import FILE, Config
from parties.greeting import greet
from parties.ledger import Ledger, LedgerChannel
from parties.settings import Peer
from parties.transport import HttpsChannel
from parties.versions import version_of
from vfl.crypto.kernel import kernel_name
from vfl.errors import PeerRefused, VflError
from vfl.wire.channel import Channel
from vfl.wire.handshake import SPOKEN

ANSWER_SECONDS = 10.0
CLOCK_SECONDS = 30.0
"""Clocks that differ by more make contracts and certificates end at different moments."""

FREE_BYTES = 2 * 10**9
ALIGNMENTS = 16
"""Alignments that a peer is asked about, the newest ones."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        about: what it is about, such as ``files`` or ``peer bureau``.
        state: ``fault`` where jobs fail, ``warning`` where they will or something was not looked at.
        remedy: what to do; empty where it is fine.
    """

    about: str
    state: Literal["ok", "warning", "fault"]
    text: str
    remedy: str = ""


def examine(directory: Path) -> list[Finding]:
    """Return all findings on a party directory; without a readable configuration there is one only."""
    try:
        config = configuration.load(directory)
    except VflError as error:
        return [_fault("configuration", error)]
    found = [Finding("configuration", "ok", f"{config.party.name}, a {config.party.role} party")]
    checks: list[tuple[str, Callable[[Config], Iterator[Finding]]]] = [
        ("versions", _versions),
        ("files", _files),
        ("identity", _identity),
        ("paillier key", _paillier),
        ("certificate", _certificate),
        ("data", _data),
        ("database", _database),
        ("disk", _disk),
        ("peers", _peers if config.party.role == "label" else _grants),
    ]
    for about, look in checks:
        try:
            found += look(config)
        except VflError as error:
            found.append(_fault(about, error))
    return found


def _fault(about: str, error: VflError) -> Finding:
    """Return an error as a finding: our sentences say what is wrong, and after a semicolon what to do."""
    text, _, remedy = str(error).rpartition("; ")
    return Finding(about, "fault", text or remedy, remedy if text else "see docs/operations.md")


def _versions(config: Config) -> Iterator[Finding]:
    text = f"package {version_of('vfl')}, protocol {', '.join(map(str, SPOKEN))}, kernel {kernel_name()}"
    if kernel_name().startswith("native"):
        yield Finding("versions", "ok", text)
    else:
        yield Finding(
            "versions", "warning", text, "install a C++ compiler, and vfl anew: this kernel is slow"
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
    for found in ends:
        if text := found.warning():
            yield Finding("certificate", "warning", text, "see docs/operations.md, Rotate keys")
    if rotation.next_files(config).key.exists():
        remedy = "once your peers expect it: vfl party rotate-tls --activate"
        yield Finding("certificate", "warning", "a next TLS key waits", remedy)
    days = min(found.days() for found in ends)
    text = f"good at both ends, for {days:.0f} days: {tls.fingerprint_of_file(files.certificate)}"
    yield Finding("certificate", "ok", text)


def _data(config: Config) -> Iterator[Finding]:
    found = check.check(config)
    for problem in found.problems:
        text, _, remedy = problem.text.rpartition("; ")
        yield Finding("data", "fault", f"{problem.column}: {text or remedy}", remedy if text else "mend it")
    if not found.problems:
        yield Finding("data", "ok", f"{found.usable_rows:,} rows, {len(found.missing)} columns")


def _database(config: Config) -> Iterator[Finding]:
    engine = database.connect(config)
    try:
        with engine.connect() as connection:
            jobs = connection.execute(sa.select(sa.func.count()).select_from(database.jobs)).scalar()
            sound = (
                engine.dialect.name != "sqlite"
                or connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
            )
    except sa.exc.SQLAlchemyError as error:
        remedy = "restore the state directory from a backup"
        yield Finding("database", "fault", f"it cannot be read ({type(error).__name__})", remedy)
        return
    finally:
        engine.dispose()
    if sound in (True, "ok"):
        yield Finding("database", "ok", f"{engine.dialect.name}, {jobs:,} jobs")
    else:
        yield Finding("database", "fault", "it is damaged", "restore the state directory from a backup")


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


def _grants(config: Config) -> Iterator[Finding]:
    """Look at a feature party: what it lets peers ask, and whether its server is the one configured."""
    for name, peer in config.peers.items():
        if not peer.allow:
            yield Finding(f"peer {name}", "warning", "it may ask for nothing", f"set peers.{name}.allow")
        else:
            yield Finding(f"peer {name}", "ok", f"it may {', '.join(peer.allow)}")
    if not config.peers:
        yield Finding("peers", "warning", "nobody is configured", "vfl party add-peer")
    host = "127.0.0.1" if config.server.host in ("0.0.0.0", "::") else config.server.host  # noqa: S104
    own = Peer(
        fingerprint=tls.fingerprint_of_file(tls.files_of(config).certificate),
        url=f"https://{host}:{config.server.port}",
    )
    alone = msgspec.structs.replace(config, peers={"server": own})
    with HttpsChannel(alone, ANSWER_SECONDS) as channel:
        try:
            greet(channel, "server")
        except PeerRefused:  # it answers, and we are rightly no peer of ourselves
            yield Finding("server", "ok", f"it answers at {own.url}")
        except VflError as error:
            text = str(error).partition("; ")[0]
            yield Finding("server", "warning", text, "start it: vfl party serve; or restart it")


def _peers(config: Config) -> Iterator[Finding]:
    if not config.peers:
        yield Finding("peers", "warning", "nobody is configured", "vfl party add-peer")
        return
    with HttpsChannel(config, ANSWER_SECONDS) as https:
        channel = LedgerChannel(https, Ledger(database.connect(config)))
        for name in config.peers:
            try:
                yield from _peer(config, name, channel)
            except VflError as error:
                yield _fault(f"peer {name}", error)


def _peer(config: Config, name: str, channel: Channel) -> Iterator[Finding]:
    """Say Hello to a peer, and look at what it says."""
    about = f"peer {name}"
    alignments = Archive(config).fingerprints(name, ALIGNMENTS)
    found = greet(channel, name, alignments)
    welcome = found.welcome
    text = f"reached in {1e3 * found.round_trip:.0f} ms, package {welcome.package}, protocol"
    yield Finding(about, "ok", f"{text} {', '.join(map(str, welcome.versions))}; certificate as configured")
    if config.peers[name].next_fingerprint:
        remedy = f"once it has changed over: vfl party expect {config.directory} {name} --only"
        yield Finding(about, "warning", "two certificates of it are accepted", remedy)
    if abs(found.clock) - found.round_trip / 2 > CLOCK_SECONDS:
        text = f"its clock is {abs(found.clock):.0f} s {'ahead' if found.clock > 0 else 'behind'}"
        yield Finding(about, "warning", text, "set both clocks by NTP")
    missing = [kind for kind in ("align", "train", "score") if kind not in welcome.allow]
    if missing:
        text = f"it does not allow us to {', '.join(missing)}"
        yield Finding(about, "warning", text, "ask its people to set allow, if you need it")
    else:
        yield Finding(about, "ok", f"it allows us to {', '.join(welcome.allow)}")
    for alignment, state in welcome.alignments.items():
        if state == "same":
            yield Finding(about, "ok", f"alignment {alignment} is the same on both sides")
        else:
            what = "it does not have" if state == "unknown" else "it has another"
            yield Finding(about, "warning", f"{what} alignment {alignment}", "align again: vfl align")
