"""The clock of a service, and how often it looks after its contracts, connections and publications."""

from __future__ import annotations

from typing import NamedTuple

from parties.telemetry.clock import SYSTEM_CLOCK, Clock


class Timing(NamedTuple):
    """When a service does what no request asks it for; intervals in seconds.

    clock: what the expiry of contracts is held against.
    look: how soon a new publication, or a withdrawal, is noticed.
    retry: how long after a failure a publication is tried again.
    renewal: how often the next contract is proposed before the current one ends.
    warm: an idle worker sends a probe this often: half the time after which idle connections are closed. A
        worker that waits for people at the peer tries again as often.
    """

    clock: Clock = SYSTEM_CLOCK
    look: float = 1.0
    retry: float = 30.0
    renewal: float = 600.0
    warm: float = 30.0


DEFAULT = Timing()
