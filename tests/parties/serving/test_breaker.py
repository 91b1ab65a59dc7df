"""When a partner is no longer waited for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parties.serving.breaker import Breaker


@given(st.lists(st.booleans()), st.integers(1, 6))
def test_it_is_open_after_so_many_failures_in_a_row(answers: list[bool], failures: int) -> None:
    """Open exactly while the last answers were as many failures, and each change is told once."""
    breaker, in_a_row = Breaker(failures), 0
    for success in answers:
        was_open = breaker.is_open
        changed = breaker.success() if success else breaker.failure()
        in_a_row = 0 if success else in_a_row + 1
        assert breaker.is_open == (in_a_row >= failures)
        assert changed == (breaker.is_open != was_open)
