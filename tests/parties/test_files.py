"""Private files: permissions, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parties.files import write_private


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
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
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
