"""Names of alignments and models."""

from __future__ import annotations

import secrets
import time

import msgspec

from vfl.errors import ParameterError
from vfl.wire.message import Identifier


def chosen(kind: str, name: str | None) -> str:
    """Return the name that was chosen, or a fresh one; raises ParameterError where files cannot carry it."""
    if name is None:
        return f"{kind}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    try:
        return msgspec.convert(name, Identifier)
    except msgspec.ValidationError:
        raise ParameterError(
            f"{kind} {name!r}: use up to 64 letters, digits, '.', '_' or '-', a letter or digit first"
        ) from None
