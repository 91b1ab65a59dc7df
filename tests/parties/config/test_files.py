"""Private files: permissions, whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parties.config.files import append_line, read_lines, remove_abandoned, write_private
from vfl.errors import StateError


def test_files_are_private_in_private_directories(tmp_path: Path) -> None:
    """Files are 0600 and the directories made for them 0700, whatever the umask."""
    before = os.umask(0)
    try:
        write_private(tmp_path / "a" / "b" / "file", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in mid-write harms nothing that was there, and leaves no draft behind."""
    file = tmp_path / "file"
    write_private(file, b"old")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match=r"No space left on device.*free some room"):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_existing_file_is_replaced_only_on_demand(tmp_path: Path) -> None:
    """Without ``replace`` an existing file stays as it is."""
    file = tmp_path / "file"
    write_private(file, b"old")
    with pytest.raises(FileExistsError):
        write_private(file, b"new", replace=False)
    assert file.read_bytes() == b"old"
    write_private(file, b"new")
    assert file.read_bytes() == b"new"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_cuts_no_line_in_two(tmp_path: Path) -> None:
    """A line that does not fit is told, and leaves the log as it was; so does a whole file."""
    log, file = tmp_path / "log", tmp_path / "file"
    write_private(log, b"head\n")
    write_private(file, b"old")
    append_line(log, b"first")
    with room_for(20), pytest.raises(StateError, match="free some room"):
        append_line(log, b"x" * 50)
    with room_for(20), pytest.raises(StateError, match="free some room"):
        write_private(file, b"x" * 50)
    append_line(log, b"second")
    assert read_lines(log) == [b"head", b"first", b"second"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "log"]
    assert file.read_bytes() == b"old"


def test_a_line_that_a_crash_cut_is_no_line(tmp_path: Path) -> None:
    """What was written without its end is removed, so that the next line does not join it."""
    log = tmp_path / "log"
    log.write_bytes(b"head\nfirst\nsec")
    assert read_lines(log) == [b"head", b"first"]
    append_line(log, b"second")
    assert read_lines(log) == [b"head", b"first", b"second"]


def test_abandoned_drafts_go_and_nothing_else(tmp_path: Path) -> None:
    """Drafts of long ago are of processes that were killed; young ones may be somebody's at work."""
    drafts = [tmp_path / f".share.json.{'0a' * 8}", tmp_path / f".share.json.{'0b' * 8}"]
    kept = [tmp_path / ".hidden", tmp_path / "share.json", drafts[1]]
    for path in [*drafts, *kept]:
        path.write_bytes(b"x")
    for path in [drafts[0], *kept[:2]]:
        os.utime(path, (0, time.time() - 4_000))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Whoever may not write there is told to be let in."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(StateError, match="let this party's user write there"):
        write_private(tmp_path / "closed" / "file", b"x")


def test_a_command_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    """What a library unpacks there to load it is gone once a command has run."""
    command = [sys.executable, "-m", "parties", "info"]
    subprocess.run(command, env=os.environ | {"TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
