"""New keys in place of old ones: for TLS in two steps that peers can follow, for Paillier in one.

A new TLS key is made beside the one in use. Peers accept both certificates (``next_fingerprint``) before
this party changes over and for as long after as they like, so that nobody has to act at the same moment.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from parties import config as configuration
from parties.config import FILE, Config
from parties.config.files import private_directory, write_private
from parties.keys import paillier as keys
from parties.keys import tls
from vfl.crypto.keyfile import open_sealed, seal
from vfl.crypto.paillier import generate
from vfl.errors import ConfigError, KeyFileError

NEXT, PREVIOUS = "next", "previous"
"""Directories beside the TLS key: what is to come into use, and what was in use before."""


def prepare_tls(config: Config, dev_ca: Path | None = None) -> tls.Files:
    """Make the next TLS key, and its certificate or the request for one; what is in use stays so.

    Args:
        dev_ca: the development authority that signs it at once.

    Raises:
        ConfigError: a next key is there already, or there is no certificate in use.
    """
    now, successor = tls.files_of(config), next_files(config)
    hosts = _hosts(now.certificate)
    try:
        key = tls.new_key(successor.key)
    except FileExistsError:
        where = successor.key.parent
        raise ConfigError(
            f"{where} has a next key; bring it into use with --activate, or remove it"
        ) from None
    request = tls.signing_request(key, config.party.name, hosts)
    pem = serialization.Encoding.PEM
    write_private(successor.key.with_name("request.pem"), request.public_bytes(pem))
    if dev_ca is not None:
        certificate = tls.issue(tls.development_authority(dev_ca), request)
        write_private(successor.certificate, certificate.public_bytes(pem))
    return successor


def activate_tls(config: Config) -> str:
    """Bring the next TLS key into use and return the fingerprint of its certificate.

    The previous key stays beside it. Where it was broken off half-way, calling it again finishes it.

    Raises:
        ConfigError: there is no next key, or its certificate is not there, not its own, or not valid here.
    """
    now, successor = tls.files_of(config), next_files(config)
    if not successor.certificate.exists():
        raise ConfigError(
            f"{successor.certificate} is not there; make a key with `vfl party rotate-tls`, and have its "
            "request signed"
        )
    if successor.key.exists():
        check_pair(successor)
        previous = private_directory(now.key.with_name(PREVIOUS))
        for file in (now.certificate, now.key):
            shutil.copy2(file, previous / file.name)
        os.replace(successor.key, now.key)
    check_pair(tls.Files(successor.certificate, now.key, now.ca))
    os.replace(successor.certificate, now.certificate)
    shutil.rmtree(successor.key.parent)
    return tls.fingerprint_of_file(now.certificate)


def next_files(config: Config) -> tls.Files:
    """Return where the next key and certificate are; the authority stays the same."""
    now = tls.files_of(config)
    directory = now.key.parent / NEXT
    return tls.Files(directory / now.certificate.name, directory / now.key.name, now.ca)


def check_pair(files: tls.Files) -> None:
    """Shake hands with ourselves: whether key, certificate and authority do at both ends what peers will see.

    Raises:
        ConfigError: they do not belong together, or the certificate is not valid, now or for this use.
    """
    server = tls.server_context(files)
    client = tls.client_context(files, tls.fingerprint_of_file(files.certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    # A socket class that pins has no part in a handshake in memory; the certificate is our own anyway.
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    try:
        for end in [*ends, *ends]:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "no handshake"
        raise ConfigError(
            f"{files.certificate} is not accepted under {files.ca} ({reason}); have it issued for client and "
            "server use by that authority"
        ) from None


def expect(directory: Path, peer: str, fingerprint: str) -> Config:
    """Accept a peer's next certificate beside its present one, and return the new configuration.

    Raises:
        ConfigError: no such peer, or ``party.toml`` has to be edited by hand.
    """
    line = f'next_fingerprint = "{fingerprint.replace(":", "").lower()}"'
    return _edit(directory, peer, lambda first: f"{first}\n{line}", next_fingerprint=fingerprint)


def conclude(directory: Path, peer: str) -> Config:
    """Accept a peer's next certificate alone from now on, and return the new configuration.

    Raises:
        ConfigError: no such peer, no next certificate of it, or ``party.toml`` has to be edited by hand.
    """
    entry = configuration.load(directory).peers.get(peer)
    successor = entry.next_fingerprint if entry else None
    if successor is None:
        raise ConfigError(f"peers.{peer} has no next_fingerprint; give it one with --next")
    return _edit(
        directory,
        peer,
        lambda _: f'fingerprint = "{successor}"',
        fingerprint=successor,
        next_fingerprint=None,
    )


def rotate_paillier(config: Config) -> None:
    """Replace the Paillier key by a new one, sealed with the same password.

    The old key is not kept: no model needs it, and whoever has recorded the traffic of a training could read
    it with nothing else.

    Raises:
        ConfigError: a feature party has no such key.
        KeyFileError: there is no key yet, or the password does not open it.
    """
    if config.party.role != "label":
        raise ConfigError(f"{config.party.name} is a feature party; the label party has the Paillier key")
    file = config.path(config.crypto.key_file)
    if not file.exists():
        raise KeyFileError(f"{file} is not there; the first `vfl train` makes it")
    password = keys.password(config, new=False)
    open_sealed(file.read_bytes(), password)  # or a mistyped password would seal the new key
    write_private(file, seal(generate(config.crypto.key_bits), password))


def _edit(directory: Path, peer: str, change: Callable[[str], str], **expected: str | None) -> Config:
    file = directory / FILE
    before = configuration.load(directory)
    if peer not in before.peers:
        raise ConfigError(f"no peer {peer} in {file}; add it with `vfl party add-peer`")
    text = file.read_text(encoding="utf-8")
    name = rf'(?:{re.escape(peer)}|"{re.escape(peer)}")'
    match = re.search(rf"^\[peers\.{name}\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", text, re.MULTILINE)
    section = match[0] if match else ""
    bare = re.sub(r"^next_fingerprint\s*=[^\n]*\n?", "", section, flags=re.MULTILINE)
    edited = re.sub(r"^fingerprint\s*=[^\n]*", lambda m: change(m[0]), bare, count=1, flags=re.MULTILINE)
    text = text.replace(section, edited) if section else text
    after = configuration.parse(configuration.decode(text), before.directory)
    wanted = {key: value and value.replace(":", "").lower() for key, value in expected.items()}
    if after.peers[peer] != msgspec.structs.replace(before.peers[peer], **wanted):
        raise ConfigError(f"{file} is not laid out as `vfl party add-peer` does; edit [peers.{peer}] by hand")
    write_private(file, text.encode())
    return after


def _hosts(certificate: Path) -> list[str]:
    """Return the names that a certificate is for."""
    try:
        current = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = current.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        raise ConfigError(
            f"{certificate} holds no certificate for a host; there is nothing to renew"
        ) from None
    return [str(name.value) for name in names]
