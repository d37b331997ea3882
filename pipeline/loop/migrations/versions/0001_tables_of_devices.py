"""The first tables, as they were then: a change of `pipeline/loop/tables.py` is a further step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_METADATA = sa.MetaData()
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

sa.Table(
    "contact",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("key", sa.String(length=64), nullable=False),
    sa.Column("kind", sa.String(length=16), nullable=True),
    sa.Column("fn", sa.Text(), nullable=True),
    sa.Column("org", sa.Text(), nullable=True),
    sa.Column("adr", sa.Text(), nullable=True),
    sa.Column("tel", sa.Text(), nullable=True),
    sa.Column("email", sa.Text(), nullable=True),
    sa.Column("jcard", sa.JSON(), nullable=True),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("key"),
)
sa.Table(
    "device",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("device_key", sa.String(length=64), nullable=False),
    sa.Column("register_id", sa.String(length=64), nullable=True),
    sa.Column("category", sa.String(length=8), nullable=False),
    sa.Column("kind", sa.String(length=16), nullable=True),
    sa.Column("type", sa.String(length=16), nullable=True),
    sa.Column("emission_class", sa.Integer(), nullable=True),
    sa.Column("technology_id", sa.String(length=64), nullable=True),
    sa.Column("manufacturer_id", sa.String(length=64), nullable=True),
    sa.Column("model_id", sa.String(length=64), nullable=True),
    sa.Column("serial_number", sa.String(length=64), nullable=True),
    sa.Column("fcc_id", sa.String(length=64), nullable=True),
    sa.Column("fcc_type", sa.String(length=64), nullable=True),
    sa.Column("ruleset_ids", sa.JSON(), nullable=False),
    sa.Column("owner_key", sa.String(length=64), nullable=True),
    sa.Column("operator_key", sa.String(length=64), nullable=True),
    sa.Column("lon_e7", sa.Integer(), nullable=True),
    sa.Column("lat_e7", sa.Integer(), nullable=True),
    sa.Column("uncertainty_m", sa.Float(), nullable=True),
    sa.Column("confidence_pct", sa.Float(), nullable=True),
    sa.Column("height_m", sa.Float(), nullable=True),
    sa.Column("height_uncertainty_m", sa.Float(), nullable=True),
    sa.Column("height_type", sa.String(length=8), nullable=True),
    sa.Column("details", sa.JSON(), nullable=False),
    sa.Column("master_key", sa.String(length=64), nullable=True),
    sa.Column("priority", sa.Integer(), nullable=True),
    sa.Column("valid_from", sa.BigInteger(), nullable=True),
    sa.Column("valid_until", sa.BigInteger(), nullable=True),
    sa.Column("state", sa.String(length=16), nullable=False),
    sa.Column("updated_at", sa.BigInteger(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("device_key"),
    sa.UniqueConstraint("register_id"),
)
sa.Table(
    "device_history",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("device_key", sa.String(length=64), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("changed_by", sa.Text(), nullable=False),
    sa.Column("before", sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint("id"),
)
sa.Index("ix_device_history_device_key", _METADATA.tables["device_history"].c["device_key"])
sa.Table(
    "event",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("kind", sa.String(length=32), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("subject", sa.Text(), nullable=True),
    sa.Column("detail", sa.JSON(), nullable=False),
    sa.Column("prev_hash", sa.String(length=64), nullable=False),
    sa.Column("hash", sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint("id"),
)
sa.Table(
    "grant_",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("device_key", sa.String(length=64), nullable=False),
    sa.Column("channels", sa.JSON(), nullable=False),
    sa.Column("eirp_cdbm", sa.Integer(), nullable=False),
    sa.Column("from_at", sa.BigInteger(), nullable=False),
    sa.Column("until_at", sa.BigInteger(), nullable=False),
    sa.Column("level", sa.Integer(), nullable=True),
    sa.Column("status", sa.String(length=16), nullable=False),
    sa.Column("decided_by", sa.Text(), nullable=True),
    sa.Column("decided_at", sa.BigInteger(), nullable=True),
    sa.Column("reason", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("id"),
)
sa.Table(
    "meta",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("name", sa.String(length=64), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("name"),
)
sa.Table(
    "offer",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("device_key", sa.String(length=64), nullable=False),
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("profile", sa.String(length=64), nullable=False),
    sa.Column("lon_e7", sa.Integer(), nullable=False),
    sa.Column("lat_e7", sa.Integer(), nullable=False),
    sa.Column("radius_m", sa.Float(), nullable=False),
    sa.Column("limits", sa.JSON(), nullable=False),
    sa.Column("spec", sa.JSON(), nullable=False),
    sa.Column("from_at", sa.BigInteger(), nullable=False),
    sa.Column("until_at", sa.BigInteger(), nullable=False),
    sa.Column("expires_at", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("id"),
)
sa.Index(
    "offer_of_device", _METADATA.tables["offer"].c["device_key"], _METADATA.tables["offer"].c["expires_at"]
)
sa.Table(
    "request",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("method", sa.String(length=32), nullable=False),
    sa.Column("rpc_id", sa.Text(), nullable=True),
    sa.Column("device_key", sa.String(length=64), nullable=True),
    sa.Column("lon_e7", sa.Integer(), nullable=True),
    sa.Column("lat_e7", sa.Integer(), nullable=True),
    sa.Column("code", sa.Integer(), nullable=False),
    sa.Column("run_id", sa.String(length=64), nullable=True),
    sa.Column("ms", sa.Float(), nullable=False),
    sa.Column("body_sha256", sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint("id"),
)
sa.Index(
    "request_of_device",
    _METADATA.tables["request"].c["device_key"],
    _METADATA.tables["request"].c["created_at"],
)
sa.Table(
    "run",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("path", sa.Text(), nullable=False),
    sa.Column("valid_from", sa.BigInteger(), nullable=False),
    sa.Column("valid_until", sa.BigInteger(), nullable=False),
    sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("run_id"),
)
sa.Table(
    "use",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("device_key", sa.String(length=64), nullable=False),
    sa.Column("offer_id", _ID, nullable=True),
    sa.Column("run_id", sa.String(length=64), nullable=False),
    sa.Column("profile", sa.String(length=64), nullable=False),
    sa.Column("layers", sa.JSON(), nullable=False),
    sa.Column("channel", sa.String(length=16), nullable=False),
    sa.Column("start_hz", sa.Float(), nullable=False),
    sa.Column("stop_hz", sa.Float(), nullable=False),
    sa.Column("eirp_cdbm", sa.Integer(), nullable=False),
    sa.Column("lon_e7", sa.Integer(), nullable=False),
    sa.Column("lat_e7", sa.Integer(), nullable=False),
    sa.Column("radius_m", sa.Float(), nullable=False),
    sa.Column("height_m", sa.Float(), nullable=True),
    sa.Column("body_sha256", sa.String(length=64), nullable=False),
    sa.Column("from_at", sa.BigInteger(), nullable=False),
    sa.Column("until_at", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.String(length=16), nullable=False),
    sa.Column("ended_at", sa.BigInteger(), nullable=True),
    sa.Column("reason", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("id"),
)
sa.Index("use_by_state", _METADATA.tables["use"].c["state"], _METADATA.tables["use"].c["until_at"])
sa.Index("use_of_device", _METADATA.tables["use"].c["device_key"], _METADATA.tables["use"].c["state"])
sa.Table(
    "withdrawal",
    _METADATA,
    sa.Column("id", _ID, autoincrement=True, nullable=False),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.Column("scope", sa.String(length=16), nullable=False),
    sa.Column("target", sa.Text(), nullable=True),
    sa.Column("geometry", sa.LargeBinary(), nullable=True),
    sa.Column("from_at", sa.BigInteger(), nullable=False),
    sa.Column("until_at", sa.BigInteger(), nullable=True),
    sa.Column("polling_s", sa.Integer(), nullable=True),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("ordered_by", sa.Text(), nullable=False),
    sa.Column("restored_at", sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint("id"),
)


def upgrade() -> None:
    """Make all tables."""
    _METADATA.create_all(op.get_bind())
