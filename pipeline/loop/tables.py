"""The tables of the database of devices and what they use; one description for SQLite and PostgreSQL.

Instants are whole UTC seconds, levels hundredths of a dBm, places ten-millionths of a degree (WGS84): two
of them are equal or not. ``device_key`` identifies a device through all its registrations
(``device_key_of``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import JSON, BigInteger

METADATA = MetaData()
# SQLite counts rows by itself only in columns of this very type.
_Id = BigInteger().with_variant(Integer, "sqlite")
_MEMBER = 64


def _table(name: str, *columns: Column[Any] | Index | UniqueConstraint) -> Table:
    return Table(
        name,
        METADATA,
        Column("id", _Id, primary_key=True, autoincrement=True),
        Column("created_at", BigInteger, nullable=False),
        *columns,
    )


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


CONTACT = _table(
    "contact",
    Column("key", String(_MEMBER), nullable=False, unique=True),
    Column("kind", String(16)),
    *(Column(name, Text) for name in ("fn", "org", "adr", "tel", "email")),
    Column("jcard", JSON),
)
DEVICE = _table(
    "device",
    Column("device_key", String(_MEMBER), nullable=False, unique=True),
    Column("register_id", String(_MEMBER), unique=True),
    Column("category", String(8), nullable=False),
    Column("kind", String(16)),
    Column("type", String(16)),
    Column("emission_class", Integer),
    *(
        Column(name, String(_MEMBER))
        for name in ("technology_id", "manufacturer_id", "model_id", "serial_number", "fcc_id", "fcc_type")
    ),
    Column("ruleset_ids", JSON, nullable=False),
    Column("owner_key", String(_MEMBER)),
    Column("operator_key", String(_MEMBER)),
    Column("lon_e7", Integer),
    Column("lat_e7", Integer),
    *(
        Column(name, Float)
        for name in ("uncertainty_m", "confidence_pct", "height_m", "height_uncertainty_m")
    ),
    Column("height_type", String(8)),
    Column("details", JSON, nullable=False),
    Column("master_key", String(_MEMBER)),
    Column("priority", Integer),
    _instant("valid_from", nullable=True),
    _instant("valid_until", nullable=True),
    Column("state", String(16), nullable=False),
    _instant("updated_at"),
    Column("version", Integer, nullable=False),
)
DEVICE_HISTORY = _table(
    "device_history",
    Column("device_key", String(_MEMBER), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("before", JSON, nullable=False),
)
REQUEST = _table(
    "request",
    Column("method", String(32), nullable=False),
    Column("rpc_id", Text),
    Column("device_key", String(_MEMBER)),
    Column("lon_e7", Integer),
    Column("lat_e7", Integer),
    Column("code", Integer, nullable=False),
    Column("run_id", String(_MEMBER)),
    Column("ms", Float, nullable=False),
    Column("body_sha256", String(64)),
    Index("request_of_device", "device_key", "created_at"),
)
OFFER = _table(
    "offer",
    Column("device_key", String(_MEMBER), nullable=False),
    Column("run_id", String(_MEMBER), nullable=False),
    Column("profile", String(_MEMBER), nullable=False),
    Column("lon_e7", Integer, nullable=False),
    Column("lat_e7", Integer, nullable=False),
    Column("radius_m", Float, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("spec", JSON, nullable=False),
    _instant("from_at"),
    _instant("until_at"),
    _instant("expires_at"),
    Index("offer_of_device", "device_key", "expires_at"),
)
USE = _table(
    "use",
    Column("device_key", String(_MEMBER), nullable=False),
    Column("offer_id", _Id),
    Column("run_id", String(_MEMBER), nullable=False),
    Column("profile", String(_MEMBER), nullable=False),
    Column("layers", JSON, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("start_hz", Float, nullable=False),
    Column("stop_hz", Float, nullable=False),
    Column("eirp_cdbm", Integer, nullable=False),
    Column("lon_e7", Integer, nullable=False),
    Column("lat_e7", Integer, nullable=False),
    Column("radius_m", Float, nullable=False),
    Column("height_m", Float),
    Column("body_sha256", String(64), nullable=False),
    _instant("from_at"),
    _instant("until_at"),
    Column("state", String(16), nullable=False),
    _instant("ended_at", nullable=True),
    Column("reason", Text),
    Index("use_of_device", "device_key", "state"),
    Index("use_by_state", "state", "until_at"),
)
GRANT = _table(
    "grant_",
    Column("device_key", String(_MEMBER), nullable=False),
    Column("channels", JSON, nullable=False),
    Column("eirp_cdbm", Integer, nullable=False),
    _instant("from_at"),
    _instant("until_at"),
    Column("level", Integer),
    Column("status", String(16), nullable=False),
    Column("decided_by", Text),
    _instant("decided_at", nullable=True),
    Column("reason", Text),
)
WITHDRAWAL = _table(
    "withdrawal",
    Column("scope", String(16), nullable=False),
    Column("target", Text),
    Column("geometry", LargeBinary),
    _instant("from_at"),
    _instant("until_at", nullable=True),
    Column("polling_s", Integer),
    Column("reason", Text, nullable=False),
    Column("ordered_by", Text, nullable=False),
    _instant("restored_at", nullable=True),
)
TELEMETRY = _table(
    "telemetry",
    Column("device_key", String(_MEMBER), nullable=False),
    _instant("from_at"),
    _instant("until_at"),
    *(Column(name, BigInteger) for name in ("bytes_up", "bytes_down", "sessions")),
    *(Column(name, Float) for name in ("snr_db", "retries_pct", "outage_s")),
    Index("telemetry_of_device", "device_key", "from_at"),
)
RUN = _table(
    "run",
    Column("run_id", String(_MEMBER), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    _instant("valid_from"),
    _instant("valid_until"),
    Column("manifest_sha256", String(64), nullable=False),
)
EVENT = _table(
    "event",
    Column("kind", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("subject", Text),
    Column("detail", JSON, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
META = _table(
    "meta",
    Column("name", String(_MEMBER), nullable=False, unique=True),
    Column("value", Text, nullable=False),
)
