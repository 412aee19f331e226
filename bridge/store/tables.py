"""Our tables. No ticket text is in any of them: ids, decisions, fingerprints and counts only."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_INSTANT = sa.Float
"""Seconds since the epoch, UTC; the same on both databases and cheap to compare."""

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("organization", sa.String(64), nullable=False),
    sa.Column("connection", sa.String(64), nullable=False),
    sa.Column("ticket", sa.String(64), nullable=False),
    sa.Column("client", sa.String(64), nullable=False, server_default=""),
    sa.Column("number", sa.String(64), nullable=False, server_default=""),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("note_key", sa.String(32), nullable=False),
    sa.Column("created", _INSTANT, nullable=False),
    sa.Column("updated", _INSTANT, nullable=False),
    sa.Column("finished", _INSTANT),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("record", sa.JSON),
    sa.Column("provider", sa.String(32), nullable=False, server_default=""),
    sa.Column("tokens_in", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tokens_cached", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tokens_out", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cost", sa.Float),
    sa.Index("runs_by_time", "created"),
    sa.Index("runs_by_ticket", "connection", "ticket"),
    sa.Index("runs_by_status", "status", "created"),
    sa.Index("runs_by_organization", "organization", "created"),
    sa.Index("runs_by_client", "connection", "client"),
)

suggestions = sa.Table(
    "suggestions",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("run", sa.String(200), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("organization", sa.String(64), nullable=False),
    sa.Column("connection", sa.String(64), nullable=False),
    sa.Column("ticket", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Column("created", _INSTANT, nullable=False),
    sa.Column("closed", _INSTANT),
    sa.Index("suggestions_open", "organization", "state", "created"),
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.String(200), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Index("verdicts_by_run", "run"),
)

overrides = sa.Table(
    "overrides",
    metadata,
    sa.Column("organization", sa.String(64), primary_key=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)

vault = sa.Table(
    "vault",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("token", sa.LargeBinary, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("home", sa.Text, nullable=False, server_default=""),
)
"""`home`: the one address a secret may go to; empty until the console first uses it."""

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(255), nullable=False, server_default=""),
    sa.Column("created", _INSTANT, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("origin", sa.Text, nullable=False, server_default=""),
    sa.Column("organizations", sa.JSON, nullable=False, server_default="[]"),
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
)
"""One instant by name: `sweep:<connection>` (swept up to), `event:<connection>` (last webhook), and so on."""

alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("name", sa.String(160), primary_key=True),
    sa.Column("organization", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("since", _INSTANT, nullable=False),
)
"""What needs a person now: one row per trouble, gone when it is over."""

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user", sa.String(200), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("created", _INSTANT, nullable=False),
    sa.Column("seen", _INSTANT, nullable=False),
    sa.Index("sessions_by_time", "created"),
)
"""Who is signed in to the console. `id` is a digest of what the browser holds."""

MAY_HAVE_WRITTEN = runs.c.status.in_(
    [sa.literal_column(f"'{status}'") for status in ("applied", "suggested", "shadowed", "failed")]
)
"""Which runs the next index holds; in words, because a database fits no query to it whose values it is told apart.

A failed run may have left an error note, or written fields and then no note; and where one capability runs in the
shadow, another may have left its own.
"""
runs_by_end = sa.Index(
    "runs_by_end",
    runs.c.organization,
    runs.c.finished,
    runs.c.id,
    sqlite_where=MAY_HAVE_WRITTEN,
    postgresql_where=MAY_HAVE_WRITTEN,
)

signing = sa.Table(
    "signing",
    metadata,
    sa.Column("purpose", sa.String(40), primary_key=True),
    sa.Column("material", sa.LargeBinary, nullable=False),
)
"""Random bytes to sign with where there is no BRIDGE_KEY."""

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last", _INSTANT, nullable=False),
)
"""Failed sign-ins by user and by source, for throttling."""

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("connection", sa.String(64), nullable=False),
    sa.Column("ticket", sa.String(64), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("note", sa.String(64), nullable=False, server_default=""),
    sa.Index("replies_by_ticket", "connection", "ticket"),
    sa.Index("replies_by_time", "at"),
)
"""Replies people sent to customers from the console: who, when, which entry of the PSA; never the text."""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(24), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("organization", sa.String(64)),
    sa.Column("created", _INSTANT, nullable=False),
    sa.Column("used", _INSTANT),
    sa.Column("expires", _INSTANT),
    sa.Column("revoked", _INSTANT),
)
"""Who may use the API. `digest` is what SHA-256 makes of the token; the token itself is nowhere."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Index("audit_by_time", "at"),
)
"""What people and programs changed through the bridge. Rows are added and never changed; retention leaves them."""

prompts = sa.Table(
    "prompts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
)
"""Versions of templates written in the console; no text: back to the shipped one. The newest of a name holds."""

executors = sa.Table(
    "executors",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("boot", sa.String(32), nullable=False),
    sa.Column("seen", _INSTANT, nullable=False),
    sa.Column("patience", _INSTANT, nullable=False),
    sa.Column("ready", sa.Boolean, nullable=False),
)
"""Working processes on PostgreSQL; `boot` tells two lives of one name apart, empty after an orderly end.

A name not seen for `patience` seconds, by the database's clock, is taken for dead.
"""

bulletins = sa.Table(
    "bulletins",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("resting", sa.JSON, nullable=False),
)
"""What each process lets the others know; on PostgreSQL."""

takeovers = sa.Table(
    "takeovers",
    metadata,
    sa.Column("job", sa.String(250), primary_key=True),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
)
"""How often a job was taken over from a dead process."""
