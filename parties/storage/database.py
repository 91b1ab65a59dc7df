"""The tables of a party's database: jobs, contracts, ledger, API keys. SQLite by default, or by URL."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from parties.config import Config
from parties.config.files import private_directory, writing
from vfl.errors import ConfigError, StateError

tables = sa.MetaData()

jobs = sa.Table(
    "jobs",
    tables,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("updated", sa.String(32), nullable=False),
)

ledger = sa.Table(
    "ledger_entries",
    tables,
    sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.String(32), nullable=False),
    sa.Column("direction", sa.String(3), nullable=False),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("contract", sa.String(64), nullable=False),
    sa.Column("job", sa.String(64), nullable=False, index=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("request_bytes", sa.BigInteger, nullable=False),
    sa.Column("reply_bytes", sa.BigInteger, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("reply_digest", sa.LargeBinary, nullable=False),
    sa.Column("outcome", sa.String(64), nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

ledger_heads = sa.Table(
    "ledger_heads",
    tables,
    sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("reply", sa.LargeBinary, nullable=False),
)

contracts = sa.Table(
    "contracts",
    tables,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("contract", sa.LargeBinary, nullable=False),
    sa.Column("columns", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("updated", sa.String(32), nullable=False),
)

signatures = sa.Table(
    "signatures",
    tables,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(64), primary_key=True),
    sa.Column("signature", sa.LargeBinary, nullable=False),
)

decisions = sa.Table(
    "decisions",
    tables,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("approver", sa.String(64), primary_key=True),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("time", sa.String(32), nullable=False),
)

rates = sa.Table(
    "rates",
    tables,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("left", sa.Float(53), nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    tables,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("models", sa.Text, nullable=False),
    sa.Column("rate", sa.Integer, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("used", sa.String(10)),
    sa.Column("revoked", sa.String(32)),
)


def connect(config: Config) -> sa.Engine:
    """Return the party's database with its tables made.

    Raises:
        ConfigError: it cannot be opened; the URL may hold a password, so it is not repeated.
    """
    url: str | sa.URL = config.store.database or ""
    if not url:
        file = private_directory(config.path(config.store.directory)) / "party.sqlite"
        with writing(file.parent):
            file.touch(mode=0o600)
        url = sa.URL.create("sqlite", database=str(file))
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "handle_error", _explain)
        tables.create_all(engine)
        if engine.dialect.name != "sqlite":  # until here the URL itself may be wrong
            sa.event.listen(engine, "handle_error", _explain)
    except (sa.exc.SQLAlchemyError, ImportError, UnicodeDecodeError) as error:  # the last of a damaged file
        raise ConfigError(
            f"store.database cannot be opened ({type(error).__name__}); correct its URL or leave it out"
        ) from None
    return engine


def now() -> str:
    """Return the time in UTC, as text that sorts."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def _explain(context: sa.engine.ExceptionContext) -> None:
    """Turn a database that cannot be reached, read or written into an error that says what to do."""
    if type(context.sqlalchemy_exception) is sa.exc.DatabaseError:  # what SQLite calls a malformed file
        raise StateError(
            f"the database of this party is damaged ({context.original_exception}); restore it from a copy"
        ) from None
    if isinstance(context.sqlalchemy_exception, (sa.exc.OperationalError, sa.exc.InternalError)):
        is_sqlite = context.dialect.name == "sqlite"
        reason = str(context.original_exception) if is_sqlite else type(context.original_exception).__name__
        raise StateError(
            f"the database of this party cannot be used ({reason}); see that it runs, that its disk has room "
            "and that this party's user may write there, then try again"
        ) from None


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Write-ahead logging: readers do not wait, and a commit of one entry costs no disk flush."""
    # A text with damaged bytes must be readable, so that it can be reported.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
