"""The sections of ``party.toml``: field names are the keys, descriptions say what belongs there."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from vfl import jobs
from vfl.algorithms.descriptor import Term
from vfl.wire.message import Identifier

Permission = Literal["align", "train", "score", "export"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
Reasons = Literal["none", "merged", "groups", "columns"]

Text = Annotated[str, Meta(min_length=1, max_length=4_000, description="a text that is not empty")]
Name = Annotated[Identifier, Meta(description="up to 64 letters, digits, '.', '_' or '-'")]
Names = Annotated[list[Text], Meta(description="a list of column names")]
Positive = Annotated[int, Meta(ge=1, lt=2**31, description="a whole number from 1")]
Milliseconds = Annotated[int, Meta(ge=1, le=60_000, description="milliseconds, 1 to 60000")]


Fingerprint = Annotated[
    str,
    Meta(
        pattern="^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
        description="the 64 hex digits that `vfl party show` prints there",
    ),
]


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
    """Where the rows are, which columns make the key, and which columns take part.

    ``amount`` (what a row of label 1 costs where it is missed) and ``day`` (when it came up) are what alerts
    are weighed by. The amount is a feature too unless it is excluded, the day only where it is included.
    ``groups`` are feature columns of a feature party whose contributions to a score are told as one.
    """

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
    amount: Text | None = None
    day: Text | None = None
    groups: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=200)], Names],
        Meta(description='columns by group, such as { spending = ["spent_7d", "spent_30d"] }'),
    ] = {}


class Store(Struct, frozen=True, kw_only=True):
    """Where alignments, parts, jobs and the ledger are kept."""

    directory: Text = "state"
    database: Text | None = None


class Crypto(Struct, frozen=True, kw_only=True):
    key_bits: Annotated[int, Meta(ge=2048, le=3072, multiple_of=256, description="2048 or 3072")] = 2048
    profile: Annotated[Literal["short", "full"], Meta(description='"short" or "full"')] = "short"
    key_file: Text = "state/paillier.key"
    password_file: Text | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """How much one peer may ask for.

    ``min_rows`` is the fewest rows to train on or to bin, ``min_common_rows`` the fewest customers in common
    that an alignment may end with (scoring single customers needs 1), ``max_rows`` the most it may bring.
    ``max_rows_per_hour``: customers to score. ``max_days``: how long a contract lasts.
    ``numbers`` holds the limits that algorithms bring, by name; in the file they stand beside the others.
    """

    min_rows: Positive = 100
    min_common_rows: Positive = 1
    max_rows: Positive = 10_000_000
    max_rows_per_hour: Positive = 10_000_000
    max_days: Positive = 90
    open_jobs: Positive = 32
    numbers: dict[str, int] = {}

    def value(self, name: str) -> int | None:
        """Return a limit that an algorithm brings; None where there is none."""
        return self.numbers.get(name, jobs.limits()[name].default)

    @property
    def by_name(self) -> dict[str, int | None]:
        """All limits by their names."""
        general = {name: getattr(self, name) for name in self.__struct_fields__ if name != "numbers"}
        return general | {name: self.value(name) for name in jobs.limits()}


class Terms(Struct, frozen=True, kw_only=True):
    """What a label party proposes in its contracts, beyond what the job itself says.

    ``purpose`` is what the joint work is for, in words that partners' people and rules understand. ``days``
    is how long a contract lasts. ``numbers`` holds what it proposes of the terms that algorithms bring, by
    name; they are refused where they are below a partner's own limits.
    """

    purpose: Annotated[str, Meta(min_length=1, max_length=200, description="up to 200 characters")] = (
        "not stated"
    )
    days: Positive = 30
    rows_per_hour: Positive = 10_000_000
    numbers: dict[str, int] = {}

    def value(self, term: Term) -> int | None:
        """Return what is proposed of a term; None where parameters of the job say it."""
        return self.numbers.get(term.name, term.proposed)


class Serving(Struct, frozen=True, kw_only=True):
    """How a label party's scoring service deals with feature parties.

    ``budget_ms`` is how long a request waits for them unless it says otherwise, up to ``max_budget_ms``;
    ``workers`` how many messages to one feature party may be in flight for a model. After ``failures``
    answers in a row that failed or took longer than ``budget_ms``, it is not waited for until it answers
    in time one of the probes that are sent every ``retry_seconds``. The rows of customers are read again when
    their file is written again, those of a database every ``refresh_seconds``.
    """

    budget_ms: Milliseconds = 500
    max_budget_ms: Milliseconds = 10_000
    workers: Annotated[int, Meta(ge=1, le=16, description="a whole number, 1 to 16")] = 2
    failures: Positive = 5
    retry_seconds: Annotated[float, Meta(gt=0, le=3_600, description="seconds, above 0")] = 2.0
    refresh_seconds: Annotated[float, Meta(ge=1, le=86_400, description="seconds, 1 to 86400")] = 300.0


class Api(Struct, frozen=True, kw_only=True):
    """Where a label party's scoring API listens, and how much it takes in.

    ``certificate`` and ``key`` are those of ``[tls]`` unless given. ``plain_http`` is for a proxy on the same
    machine that ends TLS itself. ``connections`` is how many stay open between requests.
    """

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="a port, 1 to 65535")] = 9443
    certificate: Text | None = None
    key: Text | None = None
    plain_http: Annotated[bool, Meta(description="true (no TLS, on a loopback host only) or false")] = False
    threads: Annotated[int, Meta(ge=1, le=256, description="a whole number, 1 to 256")] = 16
    connections: Annotated[int, Meta(ge=1, le=10_000, description="a whole number, 1 to 10000")] = 256
    max_records: Annotated[int, Meta(ge=1, le=65_536, description="a whole number, 1 to 65536")] = 10_000
    max_body_mb: Annotated[int, Meta(ge=1, le=256, description="megabytes, 1 to 256")] = 8


class Log(Struct, frozen=True, kw_only=True):
    """Logs go to standard error: a line an event, as text or as one JSON object."""

    format: Annotated[Literal["text", "json"], Meta(description='"text" or "json"')] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description='"debug", "info", "warning" or "error"'),
    ] = "info"


class Metrics(Struct, frozen=True, kw_only=True):
    """Where metrics and health are told in plain HTTP, on this machine alone; nowhere without a port."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="a port, 1 to 65535")] | None = None


class Peer(Struct, frozen=True, kw_only=True):
    """Another institution: where it is, which certificate it has, and what it may ask. Default: nothing.

    ``next_fingerprint`` is of the certificate that is to follow, accepted already.
    ``identity`` is the public key that it signs contracts and ledger heads with.
    ``purposes``, ``columns`` and ``limits`` are the rules by which its contracts are signed; ``approvals`` is
    how many people have to approve each one as well. At a label party ``columns`` is what it asks for.
    ``answer_seconds`` is how long to wait for its answer: it may work for minutes on one message.
    ``show_timing`` tells it how long each step of an answer took, for a timeline of both sides.
    ``reasons`` says under which names it may tell what this party's columns contribute to a score: none at
    all, all columns merged under this party's name, the groups of ``data.groups`` (other columns merged),
    or each column.
    """

    fingerprint: Fingerprint
    next_fingerprint: Fingerprint | None = None
    identity: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9A-Fa-f]{64}$",
                description="the 64 hex digits of the identity that `vfl party show` prints there",
            ),
        ]
        | None
    ) = None
    url: Text | None = None
    allow: Annotated[
        list[Permission], Meta(description='a list out of "align", "train", "score", "export"')
    ] = []
    show_columns: Annotated[bool, Meta(description="true (column names) or false (anonymous)")] = False
    reasons: Annotated[Reasons, Meta(description='"none", "merged", "groups" or "columns"')] = "merged"
    show_timing: Annotated[bool, Meta(description="true (how long each step took) or false")] = False
    answer_seconds: Positive = 1_800
    purposes: Annotated[list[Text], Meta(description="a list of purposes; empty for any")] = []
    columns: Annotated[
        list[Text], Meta(description="a list of names of columns or groups; empty for all")
    ] = []
    approvals: Annotated[int, Meta(ge=0, le=2, description="0, 1 or 2")] = 0
    limits: Limits = Limits()

    @property
    def fingerprints(self) -> frozenset[str]:
        """Return the fingerprints of all certificates that are this peer's."""
        return frozenset(filter(None, (self.fingerprint, self.next_fingerprint)))
