"""The label party's Paillier key in its file, sealed with a password."""

from __future__ import annotations

import getpass
import os
import sys

from parties.config import Config
from parties.config.files import write_private
from vfl.crypto.keyfile import open_sealed, seal
from vfl.crypto.paillier import PrivateKey, generate
from vfl.errors import KeyFileError

PASSWORD_VARIABLE = "VFL_PASSWORD"  # noqa: S105  # the name of a variable


def private_key(config: Config) -> PrivateKey:
    """Open the key file of ``[crypto]``, making it first where there is none.

    Raises:
        KeyFileError: no password, a wrong one, a damaged file, or a file that others can read.
    """
    file = config.path(config.crypto.key_file)
    if not file.exists():
        new = password(config, new=True)
        key = generate(config.crypto.key_bits)
        write_private(file, seal(key, new), replace=False)
        return key
    if file.stat().st_mode & 0o077:
        raise KeyFileError(f"{file} can be read by others; run: chmod 600 {file}")
    return open_sealed(file.read_bytes(), password(config, new=False))


def password(config: Config, *, new: bool) -> bytes:
    """Return the password from the environment, else from the configured file, else from the terminal."""
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password and config.crypto.password_file is not None:
        file = config.path(config.crypto.password_file)
        if not file.exists() or file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file} does not exist or can be read by others; make it with mode 600")
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    if not password and sys.stdin.isatty():
        password = getpass.getpass("New password for the key file: " if new else "Password of the key file: ")
        if new and getpass.getpass("The same again: ") != password:
            raise KeyFileError("the two passwords differ; try again")
    if not password:
        raise KeyFileError(
            f"the key file needs a password; set {PASSWORD_VARIABLE}, or crypto.password_file in party.toml"
        )
    return password.encode()
