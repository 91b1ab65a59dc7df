"""How often a service does what nobody asks it for, against what its peers and people rely on."""

from __future__ import annotations

import time

from parties.link.transport import IDLE_SECONDS
from parties.serving.timing import DEFAULT, Timing


def test_an_idle_worker_keeps_its_connection() -> None:
    """Two probes fall into the time after which an idle connection is not used again."""
    assert 2 * DEFAULT.warm <= IDLE_SECONDS


def test_a_withdrawal_is_noticed_before_a_failure_is_tried_again() -> None:
    """People who withdraw a model see it go within seconds, and a failure is no reason to hurry."""
    assert 0 < DEFAULT.look < DEFAULT.retry < DEFAULT.renewal


def test_contracts_are_held_against_the_time_of_this_machine() -> None:
    """Unless a test gives another clock, expiry is compared with the time of day."""
    before = time.time()
    assert before <= Timing().clock() <= time.time()
    assert Timing(clock=lambda: 7.0).clock() == 7.0
