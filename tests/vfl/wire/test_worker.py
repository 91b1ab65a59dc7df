"""Phases of a job: what a worker answers depends on its phase alone, and a failed request changes nothing.

The requests here are plain tuples: a worker asks nothing of a message but its kind, and the protocol has to
list every kind of real message that there is.
"""

from typing import NamedTuple

import pytest

from vfl.errors import OutOfRange, OutOfSequence
from vfl.wire.worker import Ended, Phase, Worker, answers


class Begin(NamedTuple):
    start: int


class Add(NamedTuple):
    number: int


class Finish(NamedTuple):
    pass


class Total(NamedTuple):
    total: int


class Opening(Phase):
    @answers(Begin)
    def begin(self, request):
        return Total(request.start), Adding(request.start)


class Closing(Phase):
    def __init__(self, total):
        self.total = total

    @answers(Finish)
    def finish(self, request):
        return Total(self.total), Ended()


class Adding(Closing):
    """Inherits the answer to `Finish`."""

    @answers(Add)
    def add(self, request):
        if request.number < 0:
            raise OutOfRange("a number is negative")
        return Total(self.total + request.number), Adding(self.total + request.number)


class Doubling(Adding):
    """Answers `Add` otherwise, under another name of the method."""

    @answers(Add)
    def add_twice(self, request):
        return Total(self.total + 2 * request.number), self


class Renamed(Adding):
    """Overrides a method without marking it again."""

    def add(self, request):
        return Total(-1), self


def test_each_reply_comes_from_the_phase_that_the_last_request_led_to():
    """A worker walks from phase to phase, and every phase knows what the one before handed it."""
    worker = Worker(Opening())
    requests = [Begin(5), Add(2), Add(3), Finish()]
    assert [worker.handle(request).total for request in requests] == [5, 7, 10, 10]


@pytest.mark.parametrize(
    ("phase", "request_", "expected"),
    [
        (Opening(), Add(1), "Add cannot come now; expected Begin"),
        (Adding(0), Begin(1), "Begin cannot come now; expected Add, Finish"),
        (Closing(0), Add(1), "Add cannot come now; expected Finish"),
        (Ended(), Finish(), "Finish cannot come now; expected a new job"),
    ],
    ids=["before the opening", "opened twice", "of a subclass only", "after the end"],
)
def test_what_a_phase_does_not_answer_is_refused_by_the_names_of_what_it_does(phase, request_, expected):
    """The refusal names the request that came and, in order, those that may come."""
    with pytest.raises(OutOfSequence) as caught:
        Worker(phase).handle(request_)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("bad", "error"), [(Add(-1), OutOfRange), (Begin(9), OutOfSequence)], ids=["raises", "out of sequence"]
)
def test_a_request_that_fails_leaves_the_worker_in_its_phase(bad, error):
    """The next good request is answered as if the bad one had not come."""
    worker = Worker(Adding(1))
    with pytest.raises(error):
        worker.handle(bad)
    assert worker.handle(Add(1)).total == 2
    assert worker.handle(Finish()).total == 2


def test_a_worker_that_has_ended_answers_nothing_more():
    """After the last request even the request that ended the job is refused."""
    worker = Worker(Closing(4))
    assert worker.handle(Finish()) == Total(4)
    for request in (Begin(0), Add(1), Finish()):
        with pytest.raises(OutOfSequence, match="expected a new job"):
            worker.handle(request)


def test_a_subclass_may_answer_a_request_otherwise_than_its_base():
    """The subclass's method wins, whatever its name, and the base class keeps its own."""
    assert Doubling(1).answer(Add(3))[0] == Total(7)
    assert Adding(1).answer(Add(3))[0] == Total(4)
    assert Renamed(1).answer(Add(3))[0] == Total(-1)
    assert Doubling(1).answer(Finish())[0] == Total(1)


def test_the_answers_of_a_subclass_do_not_reach_its_base():
    """Marking a method of a subclass leaves the base class and its siblings as they are."""
    with pytest.raises(OutOfSequence):
        Closing(0).answer(Add(1))
    with pytest.raises(OutOfSequence):
        Ended().answer(Add(1))


def test_a_phase_answers_exactly_the_kind_that_is_marked():
    """A subclass of a message is another message, as it is on the wire."""

    class Other(Add):
        pass

    with pytest.raises(OutOfSequence, match=r"^Other cannot come now"):
        Adding(0).answer(Other(1))
