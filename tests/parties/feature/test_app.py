"""A feature party behind real HTTPS: who gets in, what is refused, and that honest work goes on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from parties.config import Config
from parties.contracts.client import ContractClient
from parties.feature.app import create_app
from parties.feature.workers import worker_for
from parties.keys import tls
from parties.ledger.entries import Ledger
from parties.link.transport import CONTENT_TYPE, PATH, HttpsChannel
from parties.storage import database
from parties.storage import party_directory as directory
from vfl.algorithms.trees.messages import SumRoot
from vfl.errors import PeerRefused, PeerUnreachable, VflError
from vfl.jobs import PROTOCOL
from vfl.psi import messages as m
from vfl.psi.identifiers import Recipe, prepare
from vfl.psi.label_party import align
from vfl.scoring.messages import AskPart, OpenScoring, PartGiven, ScoringOpened
from vfl.wire.codec import Envelope, encode
from vfl.wire.message import Refusal
from vfl.wire.session import LabelSession, new_job

Join = Callable[..., Config]


def opening(name: str = "a1", rows: int = 200) -> m.OpenAlignment:
    return m.OpenAlignment(name, "left", ["customer_id: strip upper"], rows)


def refused(channel: HttpsChannel, frame: bytes) -> str:
    """Send raw bytes and return the code of the refusal that must come back."""
    reply = PROTOCOL.decode_reply(channel.exchange("bureau", frame))
    assert isinstance(reply.body, Refusal)
    return reply.body.code


def agreed(channel: HttpsChannel, name: str = "a1") -> bytes:
    """The digest of a contract to align under a name."""
    config = channel._config
    agreements = ContractClient(config, channel, database.connect(config))
    return agreements.obtain("align", ["bureau"], alignment=name, rows=200).digest


def honest_job(channel: HttpsChannel, name: str) -> None:
    """A whole alignment, which must work whatever happened before."""
    keys = prepare({"customer_id": [f"C{n:03d}" for n in range(200)]}, Recipe.parse(opening().recipe))
    session = LabelSession(channel, "bureau", contract=agreed(channel, name))
    alignment = align({"bureau": session}, keys, name)["bureau"]
    assert sorted(alignment.identifiers) == [f"C{n:03d}" for n in range(50, 200)]


def outcomes(party: Config) -> set[tuple[str, str]]:
    return {(total.kind, total.outcome) for total in Ledger(database.connect(party)).totals()}


@pytest.fixture
def url(bureau: Config, serve: Callable[[Config], str]) -> str:
    return serve(bureau)


@pytest.fixture
def channel(bank: Config, bureau: Config, url: str, join: Join) -> HttpsChannel:
    return HttpsChannel(join(bank, bureau, url))


def test_a_known_peer_aligns_and_the_ledger_knows(channel: HttpsChannel, bureau: Config) -> None:
    """A configured peer is served, both count the same bytes, and every message has an entry."""
    honest_job(channel, "a1")
    totals = Ledger(database.connect(bureau)).totals()
    work = {"OpenAlignment", "MaskPoints", "FetchPoints", "FixAlignment"}
    assert {total.kind for total in totals} == {"ProposeContract", *work}
    assert {(total.direction, total.peer, total.outcome) for total in totals} == {("in", "bank", "ok")}
    traffic = channel.traffic()["bureau"]
    assert traffic.sent == sum(total.request_bytes for total in totals)
    assert traffic.received == sum(total.reply_bytes for total in totals)


def test_a_client_without_certificate_ends_in_the_handshake(url: str, channel: HttpsChannel) -> None:
    """Nobody without a certificate gets a byte of an answer, and others are served on."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
        client.get(url + "/healthz")
    honest_job(channel, "a1")


def test_a_certificate_of_another_authority_ends_in_the_handshake(
    make_party: Any, bureau: Config, url: str, join: Join, channel: HttpsChannel
) -> None:
    """A stranger whose certificate another authority signed is not let in, nor let believe it was."""
    stranger = make_party("stranger", "label", ca="other-ca")
    ca = tls.files_of(stranger).ca
    ca.write_bytes(ca.read_bytes() + tls.files_of(bureau).ca.read_bytes())
    with pytest.raises(PeerUnreachable, match=r"did not accept this party's certificate|broke"):
        HttpsChannel(join(stranger, bureau, url)).exchange("bureau", b"x")
    honest_job(channel, "a1")


def test_an_unknown_certificate_of_the_same_authority_is_refused(
    make_party: Any, bureau: Config, url: str, join: Join, channel: HttpsChannel
) -> None:
    """A genuine certificate that is not in the configuration opens nothing, and leaves an entry."""
    stranger = HttpsChannel(join(make_party("stranger", "label"), bureau, url))
    with pytest.raises(PeerRefused, match="unknown_peer"):
        LabelSession(stranger, "bureau").ask(opening(), m.AlignmentOpened)
    assert outcomes(bureau) == {("-", "unknown_peer")}
    honest_job(channel, "a1")


def test_a_server_with_another_certificate_gets_no_message(
    bank: Config, bureau: Config, url: str, join: Join
) -> None:
    """The fingerprint is checked before anything is sent, although authority and address are right."""
    channel = HttpsChannel(join(bank, bureau, url, "0" * 64))
    with pytest.raises(PeerUnreachable, match="another certificate than the configured one"):
        channel.exchange("bureau", b"secret")
    assert outcomes(bureau) == set()


def test_malformed_and_truncated_frames_are_refused(channel: HttpsChannel, bureau: Config) -> None:
    """Foreign bytes get a refusal that says so, and change nothing for the next job."""
    frame = encode(Envelope(new_job(), 1, opening()))
    bad = (b"", frame[:-3], frame + b"x", b"\0", frame.replace(b"OpenA", b"\xff\xff\xff\xff\xff"))
    assert [refused(channel, each) for each in bad] == ["malformed"] * len(bad)
    assert refused(channel, b"\x09" + frame[1:]) == "version"
    honest_job(channel, "a1")
    assert ("-", "malformed") in outcomes(bureau)


def test_a_body_that_breaks_off_leaves_the_server_working(
    bank: Config, url: str, channel: HttpsChannel
) -> None:
    """A client that announces more than it sends does not hold or harm the server."""
    host, port = url.removeprefix("https://").split(":")
    pin = tls.fingerprint_of_file(bank.directory.parent / "bureau" / "tls" / "certificate.pem")
    context = tls.client_context(tls.files_of(bank), pin)
    with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw) as secure:
        secure.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode())
    honest_job(channel, "a1")


def test_a_body_over_the_limit_is_refused_unread(
    bank: Config, bureau: Config, url: str, channel: HttpsChannel
) -> None:
    """A length beyond the limit is answered at once, with an entry, before the body comes."""
    context = tls.client_context(tls.files_of(bank), channel._config.peers["bureau"].fingerprint)
    host, port = url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw) as secure:
        secure.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**40}\r\n\r\n".encode())
        assert secure.recv(64).startswith(b"HTTP/1.1 413")
    assert outcomes(bureau) == {("-", "too_large")}
    honest_job(channel, "a1")


def test_replayed_and_early_messages_are_refused_and_the_job_goes_on(channel: HttpsChannel) -> None:
    """A used number or an early request changes nothing: the honest next one is answered, and once more."""
    digest = agreed(channel)
    job = new_job()
    first = encode(Envelope(job, 1, opening(), digest))
    for _ in range(2):  # the answer to the last request is given again
        assert isinstance(PROTOCOL.decode_reply(channel.exchange("bureau", first)).body, m.AlignmentOpened)
    early = encode(Envelope(job, 1, m.FetchPoints(0, 5), digest))
    assert refused(channel, early) == "replayed"
    assert refused(channel, encode(Envelope(job, 3, m.FetchPoints(0, 5), digest))) == "out_of_sequence"
    assert refused(channel, encode(Envelope(job, 2, SumRoot(), digest))) == "out_of_sequence"
    fetched = PROTOCOL.decode_reply(
        channel.exchange("bureau", encode(Envelope(job, 2, m.FetchPoints(0, 5), digest)))
    ).body
    assert isinstance(fetched, m.PointsFetched)


def test_an_unknown_or_ended_job_is_refused(channel: HttpsChannel) -> None:
    """Only an opening begins a job, and an ended job stays ended."""
    digest = agreed(channel)
    assert refused(channel, encode(Envelope(new_job(), 1, m.FetchPoints(0, 5), digest))) == "out_of_sequence"
    job = new_job()
    channel.exchange("bureau", encode(Envelope(job, 1, opening(), digest)))
    assert refused(channel, encode(Envelope(job, 2, m.FetchPoints(7, 5), digest))) == "out_of_range"
    assert refused(channel, encode(Envelope(job, 2, m.FetchPoints(0, 5), digest))) == "out_of_sequence"
    honest_job(channel, "a1")


def test_a_job_belongs_to_the_peer_that_opened_it(
    make_party: Any, bank: Config, grant: Any, serve: Any, join: Join
) -> None:
    """Another peer, allowed everything itself, can neither continue nor reopen a job."""
    other_bank = make_party("other", "label")
    bureau = grant(make_party("bureau", "feature"), bank)
    bureau = grant(bureau, other_bank)
    url = serve(bureau)
    mine, theirs = HttpsChannel(join(bank, bureau, url)), HttpsChannel(join(other_bank, bureau, url))
    job, digest = new_job(), agreed(mine)
    mine.exchange("bureau", encode(Envelope(job, 1, opening(), digest)))
    assert refused(theirs, encode(Envelope(job, 2, m.FetchPoints(0, 5), digest))) == "not_allowed"
    assert refused(theirs, encode(Envelope(job, 1, opening(), digest))) == "not_allowed"
    honest_job(mine, "a2")
    opened = OpenScoring("model", "a2", b"x" * 32)
    config = theirs._config
    agreements = ContractClient(config, theirs, database.connect(config))
    digest = agreements.obtain("score", ["bureau"], alignment="a2", model="model").digest
    with pytest.raises(PeerRefused, match="has made no alignment a2 with you"):
        LabelSession(theirs, "bureau", contract=digest).ask(opened, ScoringOpened)


def test_what_is_not_allowed_is_refused(
    make_party: Any, bank: Config, grant: Any, serve: Any, join: Join
) -> None:
    """A peer granted alignment only cannot train, score or take a share."""
    bureau = grant(make_party("bureau", "feature"), bank, allow=["align"])
    channel = HttpsChannel(join(bank, bureau, serve(bureau)))
    for ask, reply in (
        (OpenScoring("model", "a1", b"x" * 32), ScoringOpened),
        (AskPart("model"), PartGiven),
    ):
        with pytest.raises(PeerRefused, match="not_allowed"):
            LabelSession(channel, "bureau").ask(ask, reply)
    honest_job(channel, "a1")


def test_a_peer_allowed_nothing_is_not_even_read(
    make_party: Any, bank: Config, grant: Any, serve: Any, join: Join
) -> None:
    """Silence in the configuration means no."""
    bureau = grant(make_party("bureau", "feature"), bank, allow=[])
    channel = HttpsChannel(join(bank, bureau, serve(bureau)))
    assert refused(channel, b"anything") == "not_allowed"
    assert outcomes(bureau) == {("-", "not_allowed")}


def test_open_jobs_are_bounded(make_party: Any, bank: Config, grant: Any, serve: Any, join: Join) -> None:
    """A peer cannot fill the server's memory with jobs it never ends."""
    bureau = grant(make_party("bureau", "feature"), bank, limits={"open_jobs": 2})
    channel = HttpsChannel(join(bank, bureau, serve(bureau)))
    for name in ("a1", "a2"):
        LabelSession(channel, "bureau", contract=agreed(channel, name)).ask(opening(name), m.AlignmentOpened)
    with pytest.raises(PeerRefused, match="2 jobs open here"):
        LabelSession(channel, "bureau", contract=agreed(channel, "a3")).ask(opening("a3"), m.AlignmentOpened)


def test_a_restart_ends_open_jobs_and_says_so(bank: Config, bureau: Config, serving: Any, join: Join) -> None:
    """A job that a restart cut off is refused in plain words, and a new one works."""
    with serving(bureau) as url:
        label = join(bank, bureau, url)
        before = HttpsChannel(label)
        session = LabelSession(before, "bureau", contract=agreed(before))
        session.ask(opening(), m.AlignmentOpened)
    with serving(bureau) as url:
        text = (label.directory / "party.toml").read_text().replace(label.peers["bureau"].url or "", url)
        (label.directory / "party.toml").write_text(text)
        channel = HttpsChannel(directory.configuration.load(label.directory))
        session._channel = channel
        with pytest.raises(PeerRefused, match="let go of the job"):
            session.ask(m.FetchPoints(0, 5), m.PointsFetched)
        honest_job(channel, "a1")


def test_our_own_fault_is_told_without_detail_and_work_goes_on(bureau: Config, channel: HttpsChannel) -> None:
    """A feature party whose data is gone says that it cannot, not why; mended, it serves again."""
    digest = agreed(channel)
    source = bureau.path(bureau.data.source)
    content = source.read_bytes()
    source.unlink()
    with pytest.raises(PeerRefused, match=r"\(data\): this party could not do its part"):
        LabelSession(channel, "bureau", contract=digest).ask(opening(), m.AlignmentOpened)
    source.write_bytes(content)
    honest_job(channel, "a1")


def test_an_unexpected_fault_is_internal_and_stays_out_of_the_log(
    bank: Config, bureau: Config, serving: Any, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug answers one request with 'internal'; its text, which may hold data, is not logged."""
    faults = ["customer C007"]

    def faulty_once(*arguments: Any) -> Any:
        if faults:
            raise KeyError(faults.pop())
        return worker_for(*arguments)

    with serving(bureau, create_app(bureau, make_worker=faulty_once)) as url:
        channel = HttpsChannel(join(bank, bureau, url))
        digest = agreed(channel)
        assert refused(channel, encode(Envelope(new_job(), 1, opening(), digest))) == "internal"
        honest_job(channel, "a1")
    assert "KeyError" in caplog.text
    assert "C007" not in caplog.text


def test_health_needs_a_certificate_but_no_grant(make_party: Any, url: str) -> None:
    """Whoever holds a certificate of the authority may ask whether the server lives, and no more."""
    prober = make_party("prober", "label")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls.files_of(prober).ca)
    context.load_cert_chain(tls.files_of(prober).certificate, tls.files_of(prober).key)
    with httpx.Client(verify=context) as client:
        assert client.get(url + "/healthz").text == "ok\n"
        answer = client.post(url + PATH, content=b"x")
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, CONTENT_TYPE)


def test_tls_below_1_3_is_not_spoken(bank: Config, url: str) -> None:
    """An older protocol version ends in the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(tls.files_of(bank).certificate, tls.files_of(bank).key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context) as client, pytest.raises(httpx.ConnectError):
        client.get(url + "/healthz")


def test_a_stopped_server_is_reported_with_its_address(bank: Config, bureau: Config, join: Join) -> None:
    """Nobody listening is an error that names peer and address."""
    channel = HttpsChannel(join(bank, bureau, "https://127.0.0.1:9"))
    with pytest.raises(PeerUnreachable, match=r"no connection to bureau at https://127\.0\.0\.1:9") as caught:
        channel.exchange("bureau", b"x")
    assert isinstance(caught.value, VflError)
