"""Spans: kept where someone records, and only there."""

import threading

from vfl.trace import record_process, record_thread, span


def work(name):
    with span(name):
        pass


def test_nothing_is_kept_without_a_recording():
    """A span outside any recording leaves nothing behind."""
    work("before")
    with record_process() as recording:
        pass
    work("after")
    assert recording.spans == []


def test_a_process_recording_sees_every_thread():
    """Spans of other threads are recorded with their thread, nested ones end first."""
    with record_process() as recording:
        thread = threading.Thread(target=work, args=("there",))
        with span("here"):
            thread.start()
            thread.join()
    assert [s.name for s in recording.spans] == ["there", "here"]
    there, here = recording.spans
    assert here.start <= there.start <= there.end <= here.end
    assert here.thread != there.thread


def test_a_thread_recording_sees_its_own_thread_alone():
    """What another thread does meanwhile is not in it."""
    with record_thread() as recording:
        thread = threading.Thread(target=work, args=("there",))
        thread.start()
        thread.join()
        work("here")
    assert [s.name for s in recording.spans] == ["here"]


def test_a_span_is_kept_where_the_work_fails():
    """An error inside a span passes through, and the span is recorded."""
    with record_process() as recording:
        try:
            with span("failing"):
                raise ValueError
        except ValueError:
            pass
    assert [s.name for s in recording.spans] == ["failing"]
