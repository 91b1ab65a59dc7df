"""A finding of the doctor: one check with its result, and a remedy where it is not fine."""

from __future__ import annotations

from typing import Literal

import msgspec

from vfl.errors import VflError


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


def fault(about: str, error: VflError) -> Finding:
    """Return an error as a finding: our sentences say what is wrong, and after a semicolon what to do."""
    text, _, remedy = str(error).rpartition("; ")
    return Finding(about, "fault", text or remedy, remedy if text else "see docs/operations.md")
