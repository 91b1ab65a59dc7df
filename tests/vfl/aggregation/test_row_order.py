"""The order of rows that all parties follow is put together again from what each alignment holds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfl.aggregation.row_order import common_order
from vfl.psi.alignment import Alignment


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), parties=st.integers(0, 4))
def test_every_partys_order_is_kept(seed, n, parties):
    """Every alignment's order is a subsequence of the common one, which holds every row once."""
    rng = np.random.default_rng(seed)
    secret = rng.permutation(n)
    places = [np.flatnonzero(rng.random(n) < rng.random()) for _ in range(parties)]
    known = [secret[at] for at in places]
    names = [[str(row) for row in rows] for rows in known]
    alignments = [
        Alignment.fix("a", "telco", "left", bytes(32), names[i], places[i].tolist()) for i in range(parties)
    ]
    order = common_order(n, known, alignments)
    assert sorted(order) == list(range(n))
    place = np.argsort(order)
    for rows in known:
        assert (np.diff(place[rows]) > 0).all()
