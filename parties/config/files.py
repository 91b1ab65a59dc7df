"""Private files: 0600 in 0700 directories, written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import rbcl

from vfl.errors import StateError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

_DRAFT = re.compile(r"\..*\.[0-9a-f]{16}")
DRAFT_SECONDS = 3_600.0
"""A file half written for longer than this was left by a process that has ended."""


def private_directory(path: Path) -> Path:
    """Create a directory that only its owner can enter, and return it; raises StateError."""
    with writing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one, never a part.

    Args:
        replace: whether an existing file may be replaced.

    Raises:
        FileExistsError: the file exists and ``replace`` is false.
        StateError: the disk is full, or the directory cannot be written; what was there is as it was.
    """
    private_directory(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with writing(path.parent):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(draft, path)
            else:
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_directory(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file, flushed to the disk; a crash leaves all of it or a part without its end.

    Raises:
        StateError: the disk is full or the file cannot be written; it is cut back to what it was.
    """
    with writing(path.parent), path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(line + b"\n") != len(line) + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a file of `append_line`; one that a crash left without its end is removed."""
    with writing(path.parent), path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
    return content[:whole].split(b"\n")[:-1]


def remove_abandoned(root: Path) -> None:
    """Remove, below a directory, the drafts of files that nobody finished writing; and `rbcl`'s copy."""
    remove_unpacked_library()
    limit = time.time() - DRAFT_SECONDS
    for path in root.rglob(".*"):
        with writing(path.parent):
            if _DRAFT.fullmatch(path.name) and path.is_file() and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)


def remove_unpacked_library() -> None:
    """Remove the copy of libsodium that rbcl unpacks into the temporary folder and would leave there.

    The loaded library stays; without this every start of a party would leave 2.8 MB behind.
    """
    unpacked = Path(getattr(getattr(rbcl, "_sodium", None), "_name", None) or ".")
    if unpacked.parent == Path(tempfile.gettempdir()):
        with suppress(OSError):
            unpacked.unlink(missing_ok=True)


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Turn what the system says of a write into a StateError that says what to do."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"{directory} cannot be written ({reason}); {_remedy(error)}, then try again"
        raise StateError(text) from None


def _remedy(error: OSError) -> str:
    if error.errno in FULL:
        return "free some room on its disk"
    if error.errno in FORBIDDEN:
        return "let this party's user write there"
    return "look after its disk"


def _sync_directory(path: Path) -> None:
    """Make a rename outlive a power cut, where the system can open directories at all."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
