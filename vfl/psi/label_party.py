"""The label party's side of an alignment: it finds the intersection with each feature party.

Diffie-Hellman on hashed identifiers (Meadows 1986; Huberman, Franklin and Hogg 1999): each side
masks its own points and the other's with a scalar of its own; what both have masked is equal exactly
where the identifiers are. Semi-honest parties learn the common identifiers and each other's count.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vfl.errors import MalformedMessage, NotAligned, OutOfRange, ParameterError
from vfl.psi import messages as m
from vfl.psi.alignment import MAX_ROWS, Alignment, Mode, secret_order
from vfl.psi.group import POINT_BYTES, check_points, hash_to_group, mask, new_scalar
from vfl.psi.identifiers import PreparedIdentifiers
from vfl.wire.session import LabelSession

CHUNK_ROWS = 2**14
"""Points in one message: 0.1 to 0.7 s of work for one core of the party that masks them."""

Progress = Callable[[int, int, str], None]
Points = npt.NDArray[np.bytes_]
_Item = TypeVar("_Item")


def align(
    sessions: Mapping[str, LabelSession],
    identifiers: PreparedIdentifiers,
    alignment_id: str,
    mode: Mode = "left",
    on_progress: Progress | None = None,
) -> dict[str, Alignment]:
    """Align this party's rows with those of every peer, all peers at the same time.

    In mode ``left`` each alignment holds what this party and that peer have in common; rows that a
    peer does not know stay this party's own. In mode ``inner`` all alignments hold the same
    identifiers in the same order: those that every party knows.

    Args:
        sessions: a fresh job with each peer.
        identifiers: this party's canonical keys.
        alignment_id: name under which each party stores the result.
        on_progress: called with points done, points in all, and with whom; one call at a time.

    Raises:
        NotAligned: nothing in common, or a peer's rows differ from ours after all.
        PeerRefused: a peer refused; its sentence says why.
        MalformedMessage, OutOfRange, PeerUnreachable: a peer's answer is unusable or missing.
    """
    if not sessions:
        raise ParameterError("there is no peer to align with")
    report = _one_at_a_time(on_progress)
    order = secret_order(len(identifiers.keys))
    with ThreadPoolExecutor(len(sessions)) as pool:

        def run(peer: str) -> _Common:
            return _intersect(sessions[peer], identifiers, order, alignment_id, mode, report)

        common = dict(zip(sessions, pool.map(run, sessions), strict=True))
        if mode == "inner":
            common = _common_to_all(common)

        def fix(peer: str) -> Alignment:
            return _fix(sessions[peer], common[peer], identifiers, alignment_id, mode)

        return dict(zip(sessions, pool.map(fix, sessions), strict=True))


@dataclass(frozen=True)
class _Common:
    """Rows in common with one peer, in the agreed order.

    Attributes:
        own: int64[n], indices into this party's keys.
        places: int64[n], where each stands in this party's secret order, ascending.
        theirs: int64[n], positions in the order in which the peer handed out its points.
    """

    own: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    theirs: npt.NDArray[np.int64]


def _intersect(
    session: LabelSession,
    identifiers: PreparedIdentifiers,
    order: npt.NDArray[np.int64],
    alignment_id: str,
    mode: Mode,
    report: Progress,
) -> _Common:
    keys = identifiers.keys
    opening = m.OpenAlignment(alignment_id, mode, identifiers.recipe.lines, len(keys))
    rows = session.ask(opening, m.AlignmentOpened).rows
    if not 1 <= rows <= MAX_ROWS:
        raise OutOfRange(f"{session.peer} announced {rows} rows; between 1 and {MAX_ROWS} can be aligned")
    scalar = new_scalar()
    total = len(keys) + rows

    def own_chunks() -> Iterator[bytes]:
        for start in range(0, len(keys), CHUNK_ROWS):
            yield mask(hash_to_group([keys[row] for row in order[start : start + CHUNK_ROWS]]), scalar)

    def their_chunks() -> Iterator[bytes]:
        for start in range(0, rows, CHUNK_ROWS):
            yield _fetch(session, start, min(CHUNK_ROWS, rows - start))

    own = bytearray()
    for points in _ahead(own_chunks()):
        own += _masked_by_peer(session, points)
        report(len(own) // POINT_BYTES, total, session.peer)
    theirs = bytearray()
    for points in _ahead(their_chunks()):
        theirs += mask(points, scalar)
        report(len(keys) + len(theirs) // POINT_BYTES, total, session.peer)
    in_own, in_theirs = _match(_as_array(own, session.peer), _as_array(theirs, session.peer))
    return _Common(order[in_own], in_own, in_theirs)


def _masked_by_peer(session: LabelSession, points: bytes) -> bytes:
    masked = session.ask(m.MaskPoints(points), m.PointsMasked).points
    if len(masked) != len(points):
        raise MalformedMessage(f"{session.peer} returned another number of points than it was sent")
    check_points(masked)
    return masked


def _fetch(session: LabelSession, offset: int, count: int) -> bytes:
    points = session.ask(m.FetchPoints(offset, count), m.PointsFetched).points
    if len(points) != count * POINT_BYTES:
        raise MalformedMessage(f"{session.peer} returned another number of points than it was asked for")
    return points


def _as_array(points: bytearray, peer: str) -> Points:
    """Return points as an array that sorts by bytes.

    Raises:
        MalformedMessage: two are equal, which hashing and masking unique identifiers cannot give.
    """
    # Fixed-width byte strings: numpy fills shorter ones with zeros, and none is shorter here.
    array = np.frombuffer(bytes(points), f"S{POINT_BYTES}")
    if len(np.unique(array)) < len(array):
        raise MalformedMessage(f"{peer} sent the same point twice")
    return array


def _match(own: Points, theirs: Points) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the indices of equal points in both, in the secret order in which our points were sent.

    That order is the same for every peer, so that one stream of ciphertexts suits all of them.
    """
    _, in_own, in_theirs = np.intersect1d(own, theirs, assume_unique=True, return_indices=True)
    by_order = np.argsort(in_own)
    return in_own[by_order], in_theirs[by_order]


def _common_to_all(common: Mapping[str, _Common]) -> dict[str, _Common]:
    """Return the rows that every peer knows, in the order of the first peer's points."""
    first = next(iter(common.values()))
    everywhere = np.logical_and.reduce([np.isin(first.own, each.own) for each in common.values()])
    keep, places = first.own[everywhere], first.places[everywhere]
    result = {}
    for peer, each in common.items():
        by_row = np.argsort(each.own)
        pairs = by_row[np.searchsorted(each.own, keep, sorter=by_row)]
        result[peer] = _Common(keep, places, each.theirs[pairs])
    return result


def _fix(
    session: LabelSession, common: _Common, identifiers: PreparedIdentifiers, alignment_id: str, mode: Mode
) -> Alignment:
    if not len(common.own):
        raise NotAligned(
            f"no identifier is common with {session.peer}; check that both files hold the same kind of "
            "identifier and that the recipe fits both"
        )
    key = secrets.token_bytes(32)
    common_keys = [identifiers.keys[row] for row in common.own]
    ours = Alignment.fix(alignment_id, session.peer, mode, key, common_keys, common.places.tolist())
    request = m.FixAlignment(common.theirs.astype("<u4").tobytes(), key)
    fixed = session.ask(request, m.AlignmentFixed)
    same = hmac.compare_digest(fixed.fingerprint, ours.fingerprint)
    if fixed.rows != len(ours.identifiers) or not same:
        raise NotAligned(f"{session.peer} fixed other rows than we did; align again")
    return ours


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield items while the next one is made in another thread: one side works as the other does."""
    done = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, done)
        while (item := coming.result()) is not done:
            coming = pool.submit(next, items, done)
            yield item  # type: ignore[misc]


def _one_at_a_time(on_progress: Progress | None) -> Progress:
    lock = threading.Lock()

    def report(done: int, total: int, what: str) -> None:
        if on_progress:
            with lock:
                on_progress(done, total, what)

    return report
