"""What must be refused, asked past the label party's own software: without a contract, or beyond one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from parties.link.transport import HttpsChannel
from parties.storage import party_directory as directory
from tests.faults.desk import DAY, DEPTH, RATE, ROUNDS, TREES, Desk, ask, member, refused
from tests.faults.scene import fingerprint
from tests.faults.table import Fault
from vfl.algorithms.trees.messages import AskDirections, OpenTree, SumRoot
from vfl.psi.messages import OpenAlignment
from vfl.scoring import messages as m
from vfl.wire.codec import PROTOCOL_VERSION, Envelope, encode
from vfl.wire.contract import Contract
from vfl.wire.contract_messages import Signature
from vfl.wire.message import Message
from vfl.wire.session import LabelSession, new_job

NO = "not_allowed"
LINEAR: dict[str, Any] = {"algorithm": "linear"}


def faults() -> Iterator[Fault]:
    """Every violation, in the order in which they are tried."""
    yield from strangers()
    yield from unsigned()
    yield from beyond_rules()
    yield from beyond_contract()


def strangers() -> Iterator[Fault]:
    """Certificates and frames that are nobody's."""
    yield refused("certificate of a stranger", "unknown_peer", "not in this party's", _export, by="stranger")
    yield refused("server with another certificate", "unreachable", "another certificate", _wrong_pin)
    noise, old = bytes([PROTOCOL_VERSION, *range(40)]), bytes([PROTOCOL_VERSION - 1, *range(40)])
    yield refused("frame of noise", "malformed", "", lambda d: d.frame(noise))
    yield refused("frame of another version", "version", "is not spoken here", lambda d: d.frame(old))
    late = "out_of_sequence"
    yield refused("message of no job", late, "knows no such job", partial(_numbered, SumRoot(), 1))
    yield refused("opening as a second message", late, "request 2 opens", partial(_numbered, None, 2))


def unsigned() -> Iterator[Fault]:
    """Messages without a contract in force."""
    unknown = "has signed no such contract"
    yield refused("opening without a contract", NO, unknown, lambda d: ask(d.session(b""), d.opening()))
    yield refused("opening under a contract nobody saw", NO, unknown,
                  lambda d: ask(d.session(bytes(32)), d.opening()))  # fmt: skip
    yield refused("contract without the proposer's signature", NO, "does not bear your own signature",
                  lambda d: d.propose(d.draft("align"), signed=False))  # fmt: skip
    yield refused("contract with a forged signature", "bad_signature", "", _forged)
    yield refused("contract by another identity", NO, "not by the identity",
                  lambda d: _propose(d, {"label_party": member(d.scene.stranger)}))  # fmt: skip
    yield refused("contract that does not name the party", NO, "does not name this party",
                  lambda d: _propose(d, {"feature_parties": [member(d.scene.stranger)]}))  # fmt: skip
    yield refused("contract not signed by all", NO, "not all parties of this contract", _not_by_all)
    yield refused("contract that has expired", NO, "has expired", _expired)
    yield refused("contract that people rejected", NO, "rejected this contract", _rejected)
    yield refused("contract that waits for people", NO, "have not approved", _waiting, by="rival")
    yield refused("contract of another peer", NO, unknown, _borrowed, by="rival")
    yield refused("job of another peer", NO, "not yours", _foreign_job, by="rival")


def beyond_rules() -> Iterator[Fault]:
    """Contracts that the bureau's rules do not sign."""
    for term, value, words in (
        ("trees", 1_001, "trees=1001"),
        ("max_depth", 11, "max_depth=11"),
        ("rounds", 101, "rounds=101"),
        ("rows", 10_000_001, "rows=10000001"),
        ("key_bits", 1_024, "key_bits=1024"),
        ("node_rows", 4, "node_rows=4"),
        ("histogram_rows", 1, "histogram_rows=1"),
        ("expires", int(time.time()) + 100 * DAY, "days of validity"),
        ("algorithm", None, "names no algorithm"),
    ):
        terms = {term: value} | (LINEAR if term == "rounds" else {})
        yield refused(f"contract beyond the rules: {term}", NO, words, partial(_propose, terms=terms))
    yield refused("contract for another purpose", NO, "does not sign for this purpose",
                  partial(_propose, terms={"purpose": "marketing"}), by="rival")  # fmt: skip
    yield refused("contract on a column that is not shown", NO, "columns that this party does not offer",
                  lambda d: d.propose(_on_columns(d, "limit")))  # fmt: skip


def beyond_contract() -> Iterator[Fault]:
    """Messages under a contract that is about something else, or less."""
    yield refused("another model", NO, "another model", partial(_train, model="another"))
    yield refused("another alignment", NO, "another alignment", partial(_train, alignment="another"))
    yield refused("another binning", NO, "another binning",
                  lambda d: ask(d.agreed("bin"), d.binning(binning="another")))  # fmt: skip
    yield refused("export under a contract to score", NO, "another action",
                  lambda d: ask(d.agreed("score"), m.AskPart("undisturbed")))  # fmt: skip
    yield refused("linear opening under a contract on trees", NO, "another algorithm",
                  lambda d: ask(d.agreed("train"), d.linear()))  # fmt: skip
    yield refused("trees under a linear contract", NO, "another algorithm", partial(_train, terms=LINEAR))
    yield refused("more rounds", NO, f"rounds={ROUNDS + 1} asked; this contract",
                  lambda d: ask(d.agreed("train", **LINEAR), d.linear(rounds=ROUNDS + 1)))  # fmt: skip
    yield refused("more trees", NO, f"trees={TREES + 1} asked; this contract",
                  partial(_train, trees=TREES + 1))  # fmt: skip
    yield refused("deeper trees", NO, f"max_depth={DEPTH + 1} asked; this contract",
                  partial(_train, max_depth=DEPTH + 1))  # fmt: skip
    yield refused("more rows", NO, "asked; this contract", partial(_train, terms={"rows": 100}))
    yield refused("a shorter key", NO, "key_bits=2048 asked", partial(_train, terms={"key_bits": 3_072}))
    yield refused("one tree too many", NO, f"tree number {TREES + 1} was asked for",
                  lambda d: ask(d.begun(), OpenTree(TREES, b"", [])))  # fmt: skip
    yield refused("another column", "out_of_range", "columns must ascend and exist", _other_column)
    yield refused("scoring above the rate, at once", "rate_exceeded", f"allows {RATE} an hour",
                  partial(_score, [RATE + 1]))  # fmt: skip
    yield refused("scoring above the rate, bit by bit", "rate_exceeded", f"allows {RATE} an hour",
                  partial(_score, [RATE // 3] * 4))  # fmt: skip
    yield refused("another contract in the middle of a job", NO, "under another contract", _changed)
    yield refused("a model's name taken again", NO, "exists already",
                  partial(_train, terms={"model": "undisturbed"}, model="undisturbed"))  # fmt: skip


def _export(desk: Desk) -> None:
    ask(desk.session(bytes(32)), m.AskPart("undisturbed"))


def _wrong_pin(desk: Desk) -> None:
    """Meet a server whose certificate is not the configured one."""
    stranger, bureau = desk.scene.stranger, desk.scene.bureau
    peer = {"fingerprint": fingerprint(desk.scene.bank), "url": desk.scene.proxy.url}
    config = directory.add_peer(stranger.directory, desk.name, peer)
    with HttpsChannel(config) as way:
        LabelSession(way, desk.name).ask(m.AskPart(bureau.party.name), m.PartGiven)


def _numbered(request: Message | None, number: int, desk: Desk) -> None:
    """Send a message of a new job under a number."""
    contract = desk.draft("train")
    desk.propose(contract)
    body = request or desk.opening()
    desk.frame(encode(Envelope(new_job(), number, body, contract.digest())))


def _forged(desk: Desk) -> None:
    """Bring a signature of another contract."""
    own, other = desk.own, desk.draft("align").digest()
    forged = Signature(bytes.fromhex(own.public), own.sign("contract", other))
    desk.propose(desk.draft("align"), forged, signed=False)


def _not_by_all(desk: Desk) -> None:
    """Begin before the second feature party has signed."""
    both = [member(desk.scene.bureau), member(desk.scene.stranger)]
    ask(desk.agreed("train", feature_parties=both), desk.opening())


def _expired(desk: Desk) -> None:
    """Open a job, and go on with it after its contract has expired."""
    contract = desk.draft("train", expires=int(time.time()) + 3)
    session = desk.under(contract)
    ask(session, desk.opening())
    time.sleep(max(0.0, contract.expires - time.time()))
    ask(session, OpenTree(0, b"", []))


def _rejected(desk: Desk) -> None:
    """Go on with a job whose contract people of the bureau have rejected meanwhile."""
    contract = desk.draft("train")
    session = desk.under(contract)
    ask(session, desk.opening())
    _decide(desk, "reject", contract)
    ask(session, OpenTree(0, b"", []))


def _waiting(desk: Desk) -> None:
    ask(desk.agreed("align"), OpenAlignment(desk.name, "left", ["customer_id: strip upper"], desk.rows))


def _borrowed(desk: Desk) -> None:
    """Name a contract that the bank has with the bureau."""
    with Desk(desk.scene, desk.scene.bank, desk.name) as bank:
        contract = bank.draft("train")
        bank.propose(contract)
    ask(desk.session(contract.digest()), desk.opening())


def _foreign_job(desk: Desk) -> None:
    """Send a message of a job of the bank's, under a contract of one's own that people approved."""
    with Desk(desk.scene, desk.scene.bank, desk.name) as bank:
        job = bank.begun().job
    contract = desk.draft("train")
    desk.propose(contract)
    _decide(desk, "approve", contract)
    desk.propose(contract)
    ask(desk.session(contract.digest(), job), desk.opening())


def _decide(desk: Desk, decision: str, contract: Contract) -> None:
    desk.scene.run("contracts", decision, str(desk.scene.bureau.directory), contract.digest().hex())


def _propose(desk: Desk, terms: dict[str, Any]) -> None:
    desk.propose(desk.draft("train", **terms))


def _train(desk: Desk, *, terms: dict[str, Any] | None = None, **changes: Any) -> None:
    """Open a training under a contract of some terms, with some fields of the opening changed."""
    ask(desk.agreed("train", **(terms or {})), desk.opening(**changes))


def _on_columns(desk: Desk, *columns: str) -> Contract:
    asked = msgspec.structs.replace(member(desk.scene.bureau), columns=list(columns))
    return desk.draft("train", feature_parties=[asked])


def _other_column(desk: Desk) -> None:
    """Agree on the two columns of a group, and ask for the third."""
    session = desk.under(_on_columns(desk, "spending"))
    ask(session, desk.opening())
    ask(session, OpenTree(0, b"", [2]))


def _score(counts: list[int], desk: Desk) -> None:
    session = desk.agreed("score")
    ask(session, m.OpenScoring("undisturbed", "undisturbed", desk.aligned.fingerprint))
    for count in counts:
        ask(session, AskDirections(bytes(4 * count)))


def _changed(desk: Desk) -> None:
    job = desk.begun().job
    contract = desk.draft("train")
    desk.propose(contract)
    ask(desk.session(contract.digest(), job), desk.opening())
