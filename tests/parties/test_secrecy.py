"""What is planted in the data of both sides is looked for in everything that leaves it: logs, errors, bytes.

Identifiers, labels and values are such that none comes up by chance: texts, and numbers in each form that a
program might write them in. Single-precision numbers are looked for in pairs, since four given bytes come
up in megabytes of ciphertext by themselves.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import struct
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from parties.config import Config
from parties.config.settings import Log
from parties.data.rows import Source
from parties.feature.app import create_app
from parties.feature.workers import worker_for
from parties.keys.paillier import PASSWORD_VARIABLE
from parties.label.party import LabelParty
from parties.link.transport import HttpsChannel
from parties.telemetry import logs
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import VflError
from vfl.wire.message import Message
from vfl.wire.session import Handler

ROWS = 160
PASSWORD = "correct horse planted staple"
IDENTIFIERS = [hashlib.sha256(b"customer %d" % n).hexdigest()[:14].upper() for n in range(ROWS + 40)]
LABELS = [70_617.28125 + 13 * (n * 7919 % ROWS) for n in range(ROWS)]
AGES = [4_190_237.5 + 11 * (n * 104_729 % ROWS) for n in range(ROWS)]
BALANCES = [6_031_973.25 + 17 * (n * 1_299_709 % (ROWS + 40)) for n in range(ROWS + 40)]

PARAMS = TreeParams(n_estimators=2, max_depth=2, max_bin=8, objective="reg:squarederror")


def forms(texts: list[str], *columns: list[float]) -> list[bytes]:
    """Return the bytes by which planted texts and columns would be known."""
    found = [PASSWORD.encode()]
    for text in texts:
        for one in (text, text.lower()):
            found += [one.encode(), one.encode("utf-16-le"), hashlib.sha256(one.encode()).digest()]
            found.append(hashlib.sha256(one.encode()).hexdigest().encode())
    for column in columns:
        for value in column:
            found += [repr(value).encode(), struct.pack("<d", value), struct.pack(">d", value)]
            found.append(repr(value).partition(".")[0].encode())
        for first, second in [*pairwise(column), *pairwise(sorted(column))]:
            found += [struct.pack("<ff", first, second), struct.pack(">ff", first, second)]
    return found


PLANTED = forms(IDENTIFIERS, LABELS, AGES, BALANCES)


def planted_in(told: bytes) -> list[bytes]:
    return [form for form in PLANTED if form in told]


def write(file: Path, header: list[str], rows: Any) -> str:
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([header, *rows])
    return str(file)


@pytest.fixture
def parties(
    make_party: Any, grant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Config, Config]:
    """A bank and a bureau whose every identifier, label and value is planted."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    own = write(
        tmp_path / "own.csv",
        ["customer_id", "age", "default"],
        zip(IDENTIFIERS, AGES, LABELS, strict=False),
    )
    theirs = write(
        tmp_path / "theirs.csv",
        ["customer_id", "balance"],
        zip(IDENTIFIERS[::-1], BALANCES, strict=True),
    )
    bank = make_party("bank", "label", source=own)
    return bank, grant(make_party("bureau", "feature", source=theirs), bank, limits={"min_rows": 50})


class RecordingTransport(HttpsChannel):
    """Keeps every frame in either direction, as it is before TLS hides it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config
        self.frames: list[bytes] = []

    def __enter__(self) -> RecordingTransport:
        return self

    def exchange(self, peer: str, frame: bytes) -> bytes:
        self.frames.append(frame)
        answer = super().exchange(peer, frame)
        self.frames.append(answer)
        return answer


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All logs of this process, of both parties and at every level, as they would be written."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.configure(Log(format="json", level="debug"), stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_a_full_run_shows_nothing_planted(
    parties: tuple[Config, Config],
    written: io.StringIO,
    serving: Any,
    join: Any,
    tmp_path: Path,
) -> None:
    """Align, train, score, and fail in many ways: no log, error or byte on the wire has what was planted."""
    bank, bureau = parties
    errors: list[str] = []
    with (
        serving(bureau, create_app(bureau, make_worker=_broken_for_m2)) as url,
        RecordingTransport(join(bank, bureau, url)) as transport,
        LabelParty(transport.config, transport=transport) as party,
    ):
        party.align(name="a1")
        trained = party.train(name="m1", params=PARAMS, validation_fraction=0.2)
        scores = party.score("m1", bank.data.source)
        for fail in (
            lambda: party.align(name="a1"),
            lambda: party.train(name="m1", params=PARAMS),
            lambda: party.score("no-model", bank.data.source),
            lambda: party.align(source=write(tmp_path / "d.csv", ["customer_id", "age"], _doubled())),
            lambda: party.align(source=write(tmp_path / "t.csv", ["customer_id", "age"], _texts())),
            lambda: party.train(alignment="a1", name="m2", params=PARAMS),
        ):
            with pytest.raises(VflError) as caught:
                fail()
            errors.append(f"{caught.value} {caught.value!r}")
    assert trained.facts["trees"] == 2
    assert len(scores.scores) == ROWS
    assert len(transport.frames) > 20
    assert len(errors) == 6
    told = written.getvalue()
    assert '"event": "message"' in told
    assert '"event": "exchange"' in told
    assert "RuntimeError at" in told
    assert planted_in(told.encode()) == []
    assert planted_in("\n".join(errors).encode()) == []
    assert planted_in(b"\n".join(transport.frames)) == []


def test_what_is_looked_for_would_be_found(parties: tuple[Config, Config], serve: Any, join: Any) -> None:
    """The files of a party, which are its own, hold what was planted: the search does find it there."""
    bank, bureau = parties
    with LabelParty(join(bank, bureau, serve(bureau))) as party:
        party.align(name="a1")
    kept = (bank.directory / "state" / "alignments" / "a1" / "bureau.alignment").read_bytes()
    assert len(planted_in(kept)) >= ROWS
    assert planted_in(struct.pack("<ff", AGES[3], AGES[4]))
    assert planted_in(f"age {AGES[5]} is odd".encode())
    assert planted_in(f"label {int(LABELS[5])}".encode())


def _doubled() -> list[list[object]]:
    return [[IDENTIFIERS[0], AGES[0]], [IDENTIFIERS[0], AGES[1]]]


def _texts() -> list[list[object]]:
    return [[IDENTIFIERS[0], f"odd {AGES[0]}"]]


def _broken_for_m2(config: Config, source: Source, peer: str, opening: Message, stored: Any) -> Handler:
    """Let the bureau fail unexpectedly, with a customer and a value in its exception."""
    if getattr(opening, "model", None) == "m2":
        raise RuntimeError(f"{IDENTIFIERS[7]} has {BALANCES[7]}")
    return worker_for(config, source, peer, opening, stored)
