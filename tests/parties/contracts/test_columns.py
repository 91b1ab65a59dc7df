"""Columns that a contract covers, and names that contributions are told under."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.config.settings import Peer
from parties.contracts.columns import reasons


@pytest.mark.parametrize(
    ("policy_", "told"),
    [
        ("none", []),
        ("merged", ["bureau"] * 3),
        ("groups", ["bureau", "late", "late"]),
        ("columns", ["balance", "delays", "days_late"]),
    ],
)
def test_reasons_are_told_as_far_as_granted(bureau: Config, policy_: Any, told: list[str]) -> None:
    """Nothing, one value for the party, its groups with the rest merged, or every column."""
    data = msgspec.structs.replace(bureau.data, groups={"late": ["delays", "days_late"]})
    config = msgspec.structs.replace(bureau, data=data)
    granted = Peer(fingerprint="a" * 64, reasons=policy_)
    assert reasons(config, granted, ["balance", "delays", "days_late"]) == told


def test_reasons_are_merged_unless_said_otherwise(bureau: Config) -> None:
    """The default names no column, whatever groups there are."""
    assert set(reasons(bureau, Peer(fingerprint="a" * 64), ["balance", "delays"])) == {"bureau"}
