"""A party directory's ``party.toml``: read and checked, with every mistake in one error.

The structs of `parties.config.settings` are the format.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from parties.config.reading import read_params, read_struct, read_table, unknown_keys
from parties.config.settings import (
    Api,
    Crypto,
    Data,
    Limits,
    Log,
    Metrics,
    Name,
    Party,
    Peer,
    Server,
    Serving,
    Store,
    Terms,
    Tls,
)
from vfl import jobs
from vfl.algorithms.registry import ALGORITHMS
from vfl.errors import ConfigError, ParameterError
from vfl.psi.identifiers import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "party.toml"


class Config(Struct, frozen=True, kw_only=True):
    """All of ``party.toml``. ``directory`` is the party directory, which relative paths start from."""

    directory: Path
    party: Party
    data: Data
    server: Server = Server()
    tls: Tls = Tls()
    store: Store = Store()
    crypto: Crypto = Crypto()
    serving: Serving = Serving()
    api: Api = Api()
    log: Log = Log()
    metrics: Metrics = Metrics()
    contract: Terms = Terms()
    approvers: dict[str, str] = {}
    model: Struct
    peers: dict[str, Peer] = {}

    def path(self, name: str) -> Path:
        """Return a path of the file as an absolute one."""
        return self.directory / Path(name).expanduser()

    def with_source(self, source: str) -> Config:
        """Return the configuration for another population: the same columns, from another file."""
        data = msgspec.structs.replace(self.data, source=str(Path(source).resolve()), table=None, query=None)
        return msgspec.structs.replace(self, data=data)

    def with_columns(
        self, columns: Sequence[str], *, amount: str | None = None, day: str | None = None
    ) -> Config:
        """Return the configuration with these feature columns alone, in this order: those of a model.

        Args:
            amount, day: columns in place of those of ``[data]``.
        """
        data = msgspec.structs.replace(
            self.data,
            include=list(columns),
            exclude=[],
            amount=amount or self.data.amount,
            day=day or self.data.day,
        )
        return msgspec.structs.replace(self, data=data)


_SECTIONS: dict[str, type[Struct]] = {
    "party": Party,
    "server": Server,
    "tls": Tls,
    "data": Data,
    "store": Store,
    "crypto": Crypto,
    "serving": Serving,
    "api": Api,
    "log": Log,
    "metrics": Metrics,
    "contract": Terms,
}


def load(directory: Path | str) -> Config:
    """Read and check ``party.toml`` of a party directory.

    Raises:
        ConfigError: with one line for every mistake: the key, what is wrong, what to write instead.
    """
    directory = Path(directory).resolve()
    file = directory / FILE
    try:
        return parse(decode(file.read_text(encoding="utf-8")), directory)
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist; create it with: vfl party init {directory}") from None


def decode(text: str) -> dict[str, Any]:
    """Return TOML text as tables; raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE} is not valid TOML: {error}") from None


def parse(document: Mapping[str, Any], directory: Path) -> Config:
    """Check a decoded ``party.toml``; raises ConfigError as :func:`load` does."""
    mistakes = unknown_keys(document, [*_SECTIONS, "model", "peers", "approvers"], "", "section")
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        if name in ("party", "data") and name not in document:
            mistakes.append(f"[{name}]: missing; write it as `vfl party init` does")
            sections[name] = None
        else:
            sections[name] = read_struct(kind, document.get(name, {}), name, mistakes, _numbers())
    model = read_table(document.get("model", {}), "model", mistakes)
    sections["model"] = read_params(_default_params(), model, "model", mistakes)
    peers = read_table(document.get("peers", {}), "peers", mistakes)
    entries = {name: _peer(name, value, mistakes) for name, value in peers.items()}
    sections["peers"] = {name: peer for name, peer in entries.items() if peer is not None}
    sections["approvers"] = _approvers(document.get("approvers", {}), sections["peers"], mistakes)
    # Checks across keys look at whatever sections are right in themselves.
    if sections["data"]:
        mistakes += _data_mistakes(sections["data"])
    if sections["party"]:
        mistakes += _peer_mistakes(sections["party"], sections["peers"])
        mistakes += _role_mistakes(sections["party"], sections["data"], sections["model"])
    if sections["api"]:
        mistakes += _api_mistakes(sections["api"])
    if sections["metrics"] and not _is_loopback(sections["metrics"].host):
        mistakes.append("metrics.host: metrics are served on this machine alone; write 127.0.0.1")
    if mistakes:
        lines = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise ConfigError(f"{directory / FILE} has {len(mistakes)} mistake(s):{lines}")
    return Config(directory=directory, **sections)


def _numbers() -> dict[type[Struct], list[str]]:
    """Return the keys that algorithms bring, by the struct of their table."""
    proposed = [term.name for term in jobs.terms().values() if term.proposed is not None]
    return {Limits: list(jobs.limits()), Terms: proposed}


def _default_params() -> type[Struct]:
    """Return what ``[model]`` holds: parameters of the algorithm that trains where nobody names one."""
    training = ALGORITHMS.default.training
    assert training is not None  # it is the first that trains  # noqa: S101
    return training.params


def _peer(name: str, value: Any, mistakes: list[str]) -> Peer | None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        mistakes.append(f"peers.{name}: not a name; use up to 64 letters, digits, '.', '_' or '-'")
    peer = read_struct(Peer, value, f"peers.{name}", mistakes, _numbers())
    if peer is None:
        return None
    return msgspec.structs.replace(
        peer,
        fingerprint=_plain(peer.fingerprint),
        next_fingerprint=peer.next_fingerprint and _plain(peer.next_fingerprint),
        identity=peer.identity and peer.identity.lower(),
        url=peer.url and peer.url.rstrip("/"),
    )


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").lower()


def _approvers(value: Any, peers: Mapping[str, Peer], mistakes: list[str]) -> dict[str, str]:
    """Return who may approve contracts: public keys by name."""
    table = read_table(value, "approvers", mistakes)
    for name, public in table.items():
        if not (isinstance(public, str) and re.fullmatch("[0-9A-Fa-f]{64}", public)):
            mistakes.append(f"approvers.{name}: write the 64 hex digits that `vfl contracts key` prints")
    approvers = {str(name): str(public).lower() for name, public in table.items()}
    if len(set(approvers.values())) < len(approvers):
        mistakes.append("approvers: two have the same key; each person has their own")
    for name, peer in peers.items():
        if peer.approvals > 1 and len(approvers) < peer.approvals:
            mistakes.append(
                f"peers.{name}.approvals: {peer.approvals} people have to approve; name them in [approvers]"
            )
    return approvers


def _role_mistakes(party: Party, data: Data | None, model: Struct | None) -> Iterator[str]:
    if data and party.role == "label" and data.label is None:
        yield "data.label: missing; a label party names its label column"
    if data and party.role == "feature":
        for key in ("label", "weight", "amount", "day"):
            if getattr(data, key) is not None:
                remedy = "remove it, and exclude the column if it is a secret"
                yield f"data.{key}: a feature party has none; {remedy}"
    if data and party.role == "label" and data.groups:
        yield "data.groups: only a feature party groups its columns; remove it"
    if party.role == "feature" and model not in (None, _default_params()()):
        yield "model: only the label party chooses parameters; remove the section"


def _peer_mistakes(party: Party, peers: Mapping[str, Peer]) -> Iterator[str]:
    owners: dict[str, str] = {}
    identities: dict[str, str] = {}
    for name, peer in peers.items():
        if name == party.name:
            yield f"peers.{name}: this is the party's own name; rename the peer"
        for fingerprint in peer.fingerprints:
            other = owners.setdefault(fingerprint, name)
            if other != name:
                text = f"the same as that of {other}; each peer has its own certificate"
                yield f"peers.{name}.fingerprint: {text}"
        if peer.identity and (other := identities.setdefault(peer.identity, name)) != name:
            yield f"peers.{name}.identity: the same as that of {other}; each peer has its own"
        if party.role == "label":
            if peer.url is None or not peer.url.startswith("https://"):
                yield f"peers.{name}.url: a label party needs it; write an address such as https://host:8443"
            if peer.allow:
                yield f"peers.{name}.allow: a label party answers no requests of peers; remove it"


def _api_mistakes(api: Api) -> Iterator[str]:
    if (api.certificate is None) != (api.key is None):
        yield "api.certificate: it belongs together with api.key; give both, or neither to use those of [tls]"
    if api.plain_http and not _is_loopback(api.host):
        yield f"api.plain_http: {api.host} can be reached by others; use TLS, or listen on 127.0.0.1"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _data_mistakes(data: Data) -> Iterator[str]:
    if data.table is not None and data.query is not None:
        yield "data.query: given together with data.table; keep one of them"
    if "://" in data.source and data.table is None and data.query is None:
        yield "data.table: missing; a database source needs a table or a query"
    for name in sorted(set(data.include) & set(data.exclude)):
        yield f"data.exclude: {name} is also in data.include; keep it in one of them"
    try:
        fields = [name for name, _ in Recipe.parse(data.recipe).fields]
        if sorted(fields) != sorted(data.keys):
            yield f"data.recipe: it has fields {fields}, data.keys has {sorted(data.keys)}; name them alike"
    except ParameterError as error:
        yield f"data.recipe: {error}"
    grouped = [column for columns in data.groups.values() for column in columns]
    for name in sorted({name for name in grouped if grouped.count(name) > 1}):
        yield f"data.groups: {name} is there twice; a column is in one group"
    for name in sorted({*grouped} & {*data.exclude, *data.keys.values()}):
        yield f"data.groups: {name} is no feature column; take it out of its group"
    for role, column in (("label", data.label), ("weight", data.weight)):
        if column is not None and column in {*data.include, *data.keys.values()}:
            yield f"data.{role}: {column} is also a key or an included column; a column has one use"
    for role, column in (("amount", data.amount), ("day", data.day)):
        if column is not None and column in {*data.keys.values(), data.label, data.weight}:
            yield f"data.{role}: {column} is also a key, the label or the weight; name another column"
