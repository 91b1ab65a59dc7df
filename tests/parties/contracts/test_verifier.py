"""Which contract a message is under: what people end ends at once, and what was damaged does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from parties.config import Config
from parties.contracts.contract_store import REJECTED, ContractStore
from parties.contracts.verifier import ContractVerifier
from parties.data.rows import Source
from parties.storage import database
from tests.support.clock import MovableClock
from vfl.errors import BadSignature, NotAllowed


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def digest(bank: Config, bureau: Config, signed: Callable[..., bytes]) -> bytes:
    return signed(bank, bureau, "align", alignment="a1")


@pytest.fixture
def verifier(bureau: Config, clock: MovableClock) -> ContractVerifier:
    return ContractVerifier(bureau, database.connect(bureau), Source(bureau), clock)


def test_what_people_end_in_another_process_ends_at_once(
    bureau: Config, digest: bytes, verifier: ContractVerifier
) -> None:
    """The next message is refused, though the contract was in force for the one before."""
    for _ in range(2):
        assert verifier.in_force("bank", digest).digest == digest
    ContractStore(database.connect(bureau)).set_state(digest, REJECTED)
    with pytest.raises(NotAllowed, match="rejected this contract"):
        verifier.in_force("bank", digest)


def test_a_contract_known_to_be_signed_expires_and_is_one_peers(
    digest: bytes, verifier: ContractVerifier, clock: MovableClock
) -> None:
    """What is remembered of it is held against the clock and the peer each time."""
    verifier.in_force("bank", digest)
    with pytest.raises(NotAllowed, match="no such contract with you"):
        verifier.in_force("other", digest)
    clock.offset = 3_601
    with pytest.raises(NotAllowed, match="has expired"):
        verifier.in_force("bank", digest)


def test_a_contract_that_is_gone_does_not_hold(
    bureau: Config, digest: bytes, verifier: ContractVerifier
) -> None:
    """Nor does memory stand in for a row that was removed."""
    verifier.in_force("bank", digest)
    with database.connect(bureau).begin() as connection:
        connection.execute(database.contracts.delete())
    with pytest.raises(NotAllowed, match="no such contract"):
        verifier.in_force("bank", digest)


@pytest.mark.parametrize("what", ["terms", "signature"])
def test_a_contract_that_was_damaged_does_not_hold(
    bank: Config,
    bureau: Config,
    drafted: Callable[..., Any],
    digest: bytes,
    verifier: ContractVerifier,
    what: str,
) -> None:
    """Terms written into the database, or a signature, are not what was signed."""
    update: sa.Update = (
        database.contracts.update().values(contract=drafted(bank, bureau, "train", model="m1").to_bytes())
        if what == "terms"
        else database.signatures.update().values(signature=bytes(64))
    )
    with database.connect(bureau).begin() as connection:
        connection.execute(update)
    with pytest.raises(BadSignature):
        verifier.in_force("bank", digest)


def test_a_message_costs_one_read(bureau: Config, digest: bytes) -> None:
    """The state, by its key; the rest was read and verified with the first message."""
    engine = database.connect(bureau)
    verifier = ContractVerifier(bureau, engine, Source(bureau))
    verifier.in_force("bank", digest)
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *of: statements.append(of[2]))
    for _ in range(10):
        verifier.in_force("bank", digest)
    assert len(statements) == 10
    assert all(statement.startswith("SELECT contracts.state") for statement in statements)
