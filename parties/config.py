"""A party directory's ``party.toml``: read, checked, and every mistake told at once.

The structs below are the format: field names are the keys, descriptions say what belongs there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from parties.reading import read_params, read_struct, read_table, unknown_keys
from vfl.errors import ConfigError, ParameterError
from vfl.params import TreeParams
from vfl.psi.identifiers import Recipe
from vfl.wire.messages import Identifier

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "party.toml"

Permission = Literal["align", "train", "score", "export"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

Text = Annotated[str, Meta(min_length=1, max_length=4_000, description="a text that is not empty")]
Name = Annotated[Identifier, Meta(description="up to 64 letters, digits, '.', '_' or '-'")]
Names = Annotated[list[Text], Meta(description="a list of column names")]
Positive = Annotated[int, Meta(ge=1, lt=2**31, description="a whole number from 1")]


class Party(Struct, frozen=True, kw_only=True):
    name: Name
    role: Annotated[Literal["label", "feature"], Meta(description='"label" or "feature"')]


class Server(Struct, frozen=True, kw_only=True):
    """Where a feature party listens; a label party only connects out.

    ``memory_limit_mb`` is how much of the ciphertexts of one training job may be in memory; where a tree
    has more they go to a file in the party directory.
    """

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="a port, 1 to 65535")] = 8443
    threads: Annotated[int, Meta(ge=1, le=256, description="a whole number, 1 to 256")] = 8
    memory_limit_mb: Positive = 4_096


class Tls(Struct, frozen=True, kw_only=True):
    certificate: Text = "tls/certificate.pem"
    key: Text = "tls/key.pem"
    ca: Text = "tls/ca.pem"


class Data(Struct, frozen=True, kw_only=True):
    """Where the rows are, which columns make the key, and which columns take part."""

    source: Annotated[Text, Meta(description="a .csv or .parquet file, or a SQLAlchemy URL")]
    table: Text | None = None
    query: Text | None = None
    keys: Annotated[
        dict[Text, Text],
        Meta(min_length=1, description='the column of each key field, such as { customer_id = "ID" }'),
    ]
    recipe: Annotated[
        list[Text], Meta(min_length=1, description='a line for each key field, such as "customer_id: upper"')
    ]
    on_duplicates: Annotated[
        Literal["refuse", "keep_first", "drop"], Meta(description='"refuse", "keep_first" or "drop"')
    ] = "refuse"
    on_empty: Annotated[Literal["refuse", "drop"], Meta(description='"refuse" or "drop"')] = "refuse"
    missing: Annotated[list[str], Meta(description="a list of texts that mean missing in a CSV file")] = []
    include: Names = []
    exclude: Names = []
    label: Text | None = None
    weight: Text | None = None


class Store(Struct, frozen=True, kw_only=True):
    """Where alignments, shares, jobs and the ledger are kept."""

    directory: Text = "state"
    database: Text | None = None


class Crypto(Struct, frozen=True, kw_only=True):
    key_bits: Annotated[int, Meta(ge=2048, le=3072, multiple_of=256, description="2048 or 3072")] = 2048
    profile: Annotated[Literal["short", "full"], Meta(description='"short" or "full"')] = "short"
    key_file: Text = "state/paillier.key"
    password_file: Text | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """How much one peer may ask for.

    ``min_rows`` is the fewest rows to train on, ``min_common_rows`` the fewest customers in common that
    an alignment may end with (scoring single customers needs 1), ``max_rows`` the most it may bring.
    """

    max_trees: Positive = 1_000
    max_depth: Positive = 10
    min_rows: Positive = 100
    min_common_rows: Positive = 1
    max_rows: Positive = 10_000_000
    open_jobs: Positive = 8


class Peer(Struct, frozen=True, kw_only=True):
    """Another institution: where it is, which certificate it has, and what it may ask. Default: nothing.

    ``answer_seconds`` is how long to wait for its answer: it may work for minutes on one message.
    ``show_timing`` tells it how long each step of an answer took, for a timeline of both sides.
    """

    fingerprint: Annotated[
        str,
        Meta(
            pattern="^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
            description="the 64 hex digits that `vfl party show` prints there",
        ),
    ]
    url: Text | None = None
    allow: Annotated[
        list[Permission], Meta(description='a list out of "align", "train", "score", "export"')
    ] = []
    show_columns: Annotated[bool, Meta(description="true (column names) or false (anonymous)")] = False
    show_timing: Annotated[bool, Meta(description="true (how long each step took) or false")] = False
    answer_seconds: Positive = 1_800
    limits: Limits = Limits()


class Config(Struct, frozen=True, kw_only=True):
    """All of ``party.toml``. ``directory`` is the party directory, which relative paths start from."""

    directory: Path
    party: Party
    data: Data
    server: Server = Server()
    tls: Tls = Tls()
    store: Store = Store()
    crypto: Crypto = Crypto()
    model: TreeParams = TreeParams()
    peers: dict[str, Peer] = {}

    def path(self, name: str) -> Path:
        """Return a path of the file as an absolute one."""
        return self.directory / Path(name).expanduser()

    def with_source(self, source: str) -> Config:
        """Return the configuration for another population: the same columns, from another file."""
        data = msgspec.structs.replace(self.data, source=str(Path(source).resolve()), table=None, query=None)
        return msgspec.structs.replace(self, data=data)


_SECTIONS: dict[str, type[Struct]] = {
    "party": Party,
    "server": Server,
    "tls": Tls,
    "data": Data,
    "store": Store,
    "crypto": Crypto,
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
    mistakes = unknown_keys(document, [*_SECTIONS, "model", "peers"], "", "section")
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        if name in ("party", "data") and name not in document:
            mistakes.append(f"[{name}]: missing; write it as `vfl party init` does")
            sections[name] = None
        else:
            sections[name] = read_struct(kind, document.get(name, {}), name, mistakes)
    model = read_table(document.get("model", {}), "model", mistakes)
    sections["model"] = read_params(model, "model", mistakes)
    peers = read_table(document.get("peers", {}), "peers", mistakes)
    found = {name: _peer(name, value, mistakes) for name, value in peers.items()}
    sections["peers"] = {name: peer for name, peer in found.items() if peer is not None}
    # Checks across keys look at whatever sections are right in themselves.
    if sections["data"]:
        mistakes += _data_mistakes(sections["data"])
    if sections["party"]:
        mistakes += _peer_mistakes(sections["party"], sections["peers"])
        mistakes += _role_mistakes(sections["party"], sections["data"], sections["model"])
    if mistakes:
        lines = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise ConfigError(f"{directory / FILE} has {len(mistakes)} mistake(s):{lines}")
    return Config(directory=directory, **sections)


def _peer(name: str, value: Any, mistakes: list[str]) -> Peer | None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        mistakes.append(f"peers.{name}: not a name; use up to 64 letters, digits, '.', '_' or '-'")
    peer = read_struct(Peer, value, f"peers.{name}", mistakes)
    if peer is None:
        return None
    fingerprint = peer.fingerprint.replace(":", "").lower()
    return msgspec.structs.replace(peer, fingerprint=fingerprint, url=peer.url and peer.url.rstrip("/"))


def _role_mistakes(party: Party, data: Data | None, model: TreeParams | None) -> Iterator[str]:
    if data and party.role == "label" and data.label is None:
        yield "data.label: missing; a label party names its label column"
    if data and party.role == "feature":
        for key, value in (("data.label", data.label), ("data.weight", data.weight)):
            if value is not None:
                yield f"{key}: a feature party has none; remove it, and exclude the column if it is a secret"
    if party.role == "feature" and model not in (None, TreeParams()):
        yield "model: only the label party chooses parameters; remove the section"


def _peer_mistakes(party: Party, peers: Mapping[str, Peer]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for name, peer in peers.items():
        if name == party.name:
            yield f"peers.{name}: this is the party's own name; rename the peer"
        other = owners.setdefault(peer.fingerprint, name)
        if other != name:
            yield f"peers.{name}.fingerprint: the same as that of {other}; each peer has its own certificate"
        if party.role == "label":
            if peer.url is None or not peer.url.startswith("https://"):
                yield f"peers.{name}.url: a label party needs it; write an address such as https://host:8443"
            if peer.allow:
                yield f"peers.{name}.allow: a label party is never asked for anything; remove it"


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
    for role, column in (("label", data.label), ("weight", data.weight)):
        if column is not None and column in {*data.include, *data.keys.values()}:
            yield f"data.{role}: {column} is also a key or an included column; a column has one use"
