"""Customers an hour: counted to the row, refilled evenly, and not given twice by a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from parties.config import Config
from parties.contracts.row_quota import AHEAD, RowQuota
from parties.storage import database
from vfl.errors import RateExceeded
from vfl.wire.contract import Contract, Member

DIGEST = bytes(32)


@pytest.fixture
def engine(bureau: Config) -> sa.Engine:
    return database.connect(bureau)


@pytest.fixture
def contract(bank: Config, bureau: Config, drafted: Callable[..., Any]) -> Contract:
    made: Contract = drafted(bank, bureau, "score", rows_per_hour=3_600)
    return made


def test_an_hours_worth_at_once_and_then_evenly(engine: sa.Engine, contract: Contract) -> None:
    """As many at once as an hour allows, then one a second; what is refused is not counted."""
    rates = RowQuota(engine)
    rates.consume(DIGEST, contract, 3_600, 0.0)
    for _ in range(2):
        with pytest.raises(RateExceeded, match="allows 3600 an hour"):
            rates.consume(DIGEST, contract, 11, 10.0)
    rates.consume(DIGEST, contract, 10, 10.0)
    rates.consume(b"other" + bytes(27), contract, 3_600, 10.0)
    rates.consume(DIGEST, contract, 3_600, 1e6)


def test_a_restart_gives_nothing_back(engine: sa.Engine, contract: Contract) -> None:
    """What was counted stays counted, and no more than a hundredth of an hour's worth is lost."""
    RowQuota(engine).consume(DIGEST, contract, 2_000, 0.0)
    with pytest.raises(RateExceeded):
        RowQuota(engine).consume(DIGEST, contract, 1_601, 0.0)
    RowQuota(engine).consume(DIGEST, contract, int(1_600 - 3_600 * AHEAD), 0.0)


def test_a_clock_that_goes_back_refills_nothing(engine: sa.Engine, contract: Contract) -> None:
    """Nor does the way that it then goes for a second time; nothing is taken away, either."""
    rates = RowQuota(engine)
    rates.consume(DIGEST, contract, 3_000, 5_000.0)
    for now in (0.0, 5_000.0):
        with pytest.raises(RateExceeded):
            rates.consume(DIGEST, contract, 601, now)
    rates.consume(DIGEST, contract, 600, 0.0)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.floats(0, 100)), max_size=30))
def test_no_row_beyond_the_rate_is_ever_given(steps: list[tuple[int, bool, float]]) -> None:
    """However often the party restarts: an hour's worth, and what time has brought since."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    database.rates.create(engine)
    contract = Contract(
        nonce=bytes(16), action="score", purpose="p", label_party=Member("bank", bytes(32)),
        feature_parties=[], created=0, expires=1, rows_per_hour=1_000,
    )  # fmt: skip
    rates, given_, now = RowQuota(engine), 0, 0.0
    for rows, restart, seconds in steps:
        now += seconds
        rates = RowQuota(engine) if restart else rates
        try:
            rates.consume(DIGEST, contract, rows, now)
            given_ += rows
        except RateExceeded:
            pass
        assert given_ <= 1_000 * (1 + now / 3_600) + 1e-6
