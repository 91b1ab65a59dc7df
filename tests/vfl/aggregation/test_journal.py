"""A draft pins terms from the first thing told, and counts attempts."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from vfl.aggregation.journal import MAX_ATTEMPTS, AttemptRecord, Journal, binning_journal, terms_digest
from vfl.errors import NotAligned, NotAllowed, StateError


class Memory:
    """A store of drafts."""

    def __init__(self):
        self.drafts = {}

    def load_journal(self, name):
        return list(self.drafts.get(name, []))

    def start_journal(self, name, head):
        self.drafts[name] = [head]

    def append_journal(self, name, entry):
        self.drafts[name].append(entry)


class Terms(Struct, tag="terms"):
    rows: int


class Others(Struct, tag="others"):
    rows: int


def test_a_head_stands_for_terms_kind_and_data():
    """What differs in any of them has another head; the same again has the same."""
    data = np.arange(6, dtype=np.float32)
    heads = [
        terms_digest(Terms(1), data),
        terms_digest(Terms(2), data),
        terms_digest(Others(1), data),
        terms_digest(Terms(1), data + 1),
        terms_digest(Terms(1), data.reshape(2, 3)),
        terms_digest(Terms(1), data.view(np.int32)),
        terms_digest(Terms(1), data[:2], data[2:]),
        terms_digest(Terms(1)),
    ]
    assert len(set(heads)) == len(heads)
    assert terms_digest(Terms(1), data.copy()) == heads[0]
    assert all(b"\n" not in of for of in heads)


@settings(deadline=None)
@given(attempts=st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.booleans()), max_size=25))
def test_what_was_told_was_told_on_one_set_of_terms_and_so_often(attempts):
    """Whatever is tried in whatever order."""
    store, told = Memory(), []
    for terms, tells in attempts:
        with suppress(NotAligned, NotAllowed):
            draft = Journal(store, "m", terms)
            if tells:
                draft.tell()
                draft.tell()  # counts once
                told.append(terms)
    asked = [terms for terms, tells in attempts if tells]
    assert told == [terms for terms in asked if terms == asked[0]][:MAX_ATTEMPTS]


def test_a_refusal_says_what_to_do():
    """Other terms, too many attempts and a damaged draft each end in the remedy given."""
    store = Memory()
    Journal(store, "m", b"a").tell()
    with pytest.raises(NotAligned, match=r"other terms.*; do it again"):
        Journal(store, "m", b"b", remedy="do it again")
    with pytest.raises(NotAllowed, match=r"1 times, the most that is allowed; do it again"):
        Journal(store, "m", b"a", most=1, remedy="do it again")
    store.append_journal("m", b'{"type":')
    with pytest.raises(StateError, match=r"journal of m is damaged; do it again"):
        Journal(store, "m", b"a", remedy="do it again")


def test_entries_come_back_in_their_order():
    """What an attempt wrote the next one reads."""
    store = Memory()
    first = Journal(store, "m", b"a", AttemptRecord | Terms)
    first.tell()
    first.keep(Terms(3))
    assert Journal(store, "m", b"a", AttemptRecord | Terms).entries == [AttemptRecord(), Terms(3)]


def test_a_binning_and_a_model_of_one_name_have_drafts_of_their_own():
    """No name of a model is that of a binning's draft."""
    store = Memory()
    Journal(store, "m", b"a").tell()
    Journal(store, binning_journal("m"), b"b").tell()
    assert len(store.drafts) == 2
