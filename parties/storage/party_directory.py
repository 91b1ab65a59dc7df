"""Making a party directory: its ``party.toml``, key and certificate, and adding peers to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from parties import config as configuration
from parties.config import FILE, Config
from parties.config.files import private_directory, write_private
from parties.keys import identity, tls
from vfl.errors import ConfigError


def create(
    directory: Path,
    *,
    name: str,
    role: str,
    data: Mapping[str, Any],
    host: str = "127.0.0.1",
    port: int = 8443,
    dev_ca: Path | None = None,
) -> Config:
    """Make a party directory and return its configuration.

    Args:
        data: the keys of ``[data]``.
        host, port: where a feature party listens.
        dev_ca: directory of a development authority, made if need be, that signs the certificate.
            Without one a signing request is left at ``tls/request.pem`` for a real authority; its answer
            belongs at ``tls/certificate.pem`` and its own certificate at ``tls/ca.pem``.

    Raises:
        ConfigError: there is a ``party.toml`` already, or something given is a mistake.
    """
    file = directory / FILE
    if file.exists():
        raise ConfigError(f"{file} exists already; edit it, or choose another directory")
    document: dict[str, Any] = {"party": {"name": name, "role": role}}
    if role == "feature":
        document["server"] = {"host": host, "port": port}
    document["data"] = dict(data)
    config = configuration.parse(document, directory.resolve())
    private_directory(directory)
    _certify(tls.files_of(config), name, ["localhost", "127.0.0.1", host], dev_ca)
    new_identity(config)
    write_private(file, _toml(document).encode(), replace=False)
    return config


def add_peer(directory: Path, name: str, peer: Mapping[str, Any]) -> Config:
    """Add ``[peers.NAME]`` at the end of ``party.toml`` and return the new configuration.

    Raises:
        ConfigError: the peer is there already, or something given is a mistake; the file is unchanged.
    """
    file = directory / FILE
    before = configuration.load(directory)
    if name in before.peers:
        raise ConfigError(f"peer {name} is in {file} already; edit it there")
    text = file.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + _toml({"peers": {name: dict(peer)}})
    config = configuration.parse(configuration.decode(text), directory.resolve())
    write_private(file, text.encode())
    return config


def new_identity(config: Config) -> str:
    """Make a party's identity and return its public key; raises ConfigError where there is one."""
    file = identity.file_of(config)
    try:
        return identity.create(file).public
    except FileExistsError:
        raise ConfigError(f"{file} exists already; peers know the party by it") from None


def _certify(files: tls.Files, name: str, hosts: Sequence[str], dev_ca: Path | None) -> None:
    try:
        key = tls.new_key(files.key)
    except FileExistsError:
        raise ConfigError(f"{files.key} exists already; choose another directory") from None
    request = tls.signing_request(key, name, list(dict.fromkeys(hosts)))
    pem = serialization.Encoding.PEM
    if dev_ca is None:
        write_private(files.key.with_name("request.pem"), request.public_bytes(pem))
        return
    authority = tls.development_authority(dev_ca)
    write_private(files.certificate, tls.issue(authority, request).public_bytes(pem))
    write_private(files.ca, authority.certificate.public_bytes(pem))


def _toml(document: Mapping[str, Any], prefix: str = "") -> str:
    """Return tables of texts, numbers, lists and inner tables as TOML, whose texts JSON can write."""
    lines = []
    for name, table in document.items():
        plain = {key: value for key, value in table.items() if not isinstance(value, dict) or key == "keys"}
        inner = {key: value for key, value in table.items() if key not in plain}
        if plain:
            lines.append(f"[{prefix}{_key(name)}]\n")
            lines += [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
            lines.append("\n")
        if inner:
            lines.append(_toml(inner, f"{prefix}{_key(name)}."))
    return "".join(lines)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
