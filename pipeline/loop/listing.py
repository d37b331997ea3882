"""`channelmaps listing`: the list of approved databases, built, signed and checked (docs/server.md).

RFC 7545 leaves the format open; the members ``lastUpdateTime``, ``maxRefreshMinutes`` and ``dbs`` are those
of the sample in its Appendix A, the others are ours. The signature (Ed25519, by OpenSSL) is
a file of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from pipeline.errors import InputError
from pipeline.files import (
    JsonObject,
    Output,
    OutputKind,
    check_outputs,
    json_bytes,
    kind_of_start,
    write_output,
)
from pipeline.loop.device_rows import InstantCell, MayBeInstantCell
from pipeline.query.paws import instant_s, instant_text
from pipeline.rows.row_models import StrippedRow, read_rows, refuse_second, row_problem

_REFRESH_MIN, _DAY_S = 1440, 86_400
# How long a database stays in the list, marked as such, after its approval was taken back or ran out.
_SHOWN_S = 30 * _DAY_S
_SIGNATURE_BYTES, _KEY_ID_LENGTH = 64, 16
_Uri = Annotated[str, Field(pattern=r"^https://[^\s]{1,1016}$", description="https://..., up to 1024 octets")]


class ApprovedRow(StrippedRow):
    """A database that the regulator has approved."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="1 to 64 characters")]
    uri: _Uri
    ruleset_ids: Annotated[str, Field(min_length=1, description="ids of rules, `;` between")]
    approved_from: Annotated[InstantCell, Field(description="UTC, such as 2026-12-05")]
    approved_until: Annotated[InstantCell, Field(description="UTC, such as 2027-12-05")]
    territory: str = ""
    revoked_at: Annotated[MayBeInstantCell, Field(description="UTC, or empty")] = None

    @model_validator(mode="after")
    def _ascending(self) -> ApprovedRow:
        if self.approved_from >= self.approved_until:
            raise row_problem("approved_until", "is not after approved_from", "a later instant", "order")
        return self


class NeighbourRow(StrippedRow):
    """The listing or database of another administration."""

    authority: Annotated[str, Field(pattern=r"^[A-Za-z]{2}$", description="two letters")]
    uri: _Uri
    name: str = ""


def listing_of(
    approved: Sequence[ApprovedRow],
    neighbours: Sequence[NeighbourRow],
    *,
    authority: str,
    now_s: int,
    valid_days: float,
    key_id: str | None = None,
) -> JsonObject:
    """The list at an instant; ``dbs`` are those alone that are approved then."""
    shown = [one for one in approved if now_s < _end_s(one) + _SHOWN_S]
    return {
        "lastUpdateTime": instant_text(now_s),
        "maxRefreshMinutes": _REFRESH_MIN,
        "dbs": [
            {"name": one.name, "uris": [{"uri": one.uri, "protocol": "paws"}]}
            for one in shown
            if one.approved_from <= now_s < _end_s(one)
        ],
        "authority": authority.lower(),
        "issued": instant_text(now_s),
        "validUntil": instant_text(now_s + int(valid_days * _DAY_S)),
        **({} if key_id is None else {"keyId": key_id}),
        "databases": [_entry(one) for one in shown],
        "neighbours": [
            {"authority": one.authority.lower(), "uri": one.uri} | ({"name": one.name} if one.name else {})
            for one in neighbours
        ],
    }


def _end_s(one: ApprovedRow) -> int:
    return min(one.approved_until, one.approved_until if one.revoked_at is None else one.revoked_at)


def _entry(one: ApprovedRow) -> JsonObject:
    entry: JsonObject = {
        "name": one.name,
        "uri": one.uri,
        "rulesetIds": [text.strip() for text in one.ruleset_ids.split(";") if text.strip()],
        "approvedFrom": instant_text(one.approved_from),
        "approvedUntil": instant_text(one.approved_until),
    }
    entry |= {"territory": one.territory} if one.territory else {}
    return entry | ({} if one.revoked_at is None else {"revokedAt": instant_text(one.revoked_at)})


def faults_of(listing: Any, uri: str | None, now_s: int) -> list[str]:  # noqa: ANN401 - whatever a file holds
    """What is wrong with a list, or with a database's place in it; nothing: all is well."""
    try:
        found = []
        if instant_s(listing["validUntil"]) <= now_s:
            found.append(f"is over since {listing['validUntil']}")
        if instant_s(listing["lastUpdateTime"]) > now_s + _DAY_S:
            found.append(f"is of {listing['lastUpdateTime']}, which is to come")
        valid = [one for one in listing["databases"] if _is_approved(one, now_s)]
        told = sorted(entry["uri"] for one in listing["dbs"] for entry in one["uris"])
        if told != sorted(one["uri"] for one in valid):
            found.append("dbs are not the approved ones of databases")
        if uri is not None and uri not in told:
            found.append(f"{uri} is not approved")
        return found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [f"is no listing of databases ({type(error).__name__})"]


def _is_approved(one: JsonObject, now_s: int) -> bool:
    begin_s, end_s = instant_s(one["approvedFrom"]), instant_s(one["approvedUntil"])
    return (
        begin_s
        <= now_s
        < min(end_s, instant_s(one["revokedAt"] if "revokedAt" in one else one["approvedUntil"]))
    )


# --- commands -----------------------------------------------------------------------------------------------


def build_command(
    approved: Path, out: Path, *, authority: str, neighbours: Path | None, key: Path | None, valid_days: float
) -> None:
    """Write the list from a table of approvals."""
    given = [path for path in (approved, neighbours, key) if path is not None]
    check_outputs([Output("--out", out, kind_of_start("JSON", rb"\s*\{"))], given)
    rows = read_rows(approved, ApprovedRow)
    refuse_second(approved, rows, ("uri",))
    beside = [] if neighbours is None else read_rows(neighbours, NeighbourRow)
    content = listing_of(
        rows,
        beside,
        authority=authority,
        now_s=int(time.time()),
        valid_days=valid_days,
        key_id=None if key is None else key_id_of(key),
    )
    write_output(out, json_bytes(content))
    print(f"{len(content['dbs'])} approved databases of {len(rows)}, valid until {content['validUntil']}")


def sign_command(listing: Path, key: Path, out: Path) -> None:
    """Write the signature of a list by a private key (Ed25519, PEM)."""
    check_outputs([Output("--out", out, OutputKind("signature", _is_signature))], [listing, key])
    signature = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(listing), file=key)
    if len(signature) != _SIGNATURE_BYTES:
        raise InputError("is no key for Ed25519", file=key, allowed="openssl genpkey -algorithm ed25519")
    write_output(out, signature)


def check_command(listing: Path, *, key: Path | None, signature: Path | None, uri: str | None) -> int:
    """Print what is wrong with a list; 0 where nothing is, else 1."""
    try:
        content = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=listing) from None
    found = faults_of(content, uri, int(time.time()))
    if key is not None:
        signed = signature or listing.with_name(f"{listing.name}.sig")
        found += [] if is_signed(listing, signed, key) else [f"signature {signed.name} is not by {key.name}"]
    print(*(found or ["nothing is wrong"]), sep="\n")
    return 1 if found else 0


def _is_signature(content: bytes) -> bool:
    return len(content) == _SIGNATURE_BYTES


def is_signed(listing: Path, signature: Path, key: Path) -> bool:
    """Whether a signature is by the private key that belongs to a public one (PEM)."""
    key_id_of(key)
    line = ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key))
    return _run(*line, "-in", str(listing), "-sigfile", str(signature)).returncode == 0


def key_id_of(key: Path) -> str:
    """What names a public key: the beginning of the SHA-256 of its DER form, hexadecimal."""
    der = _openssl("pkey", "-pubin", "-in", str(key), "-outform", "DER", file=key)
    return sha256(der).hexdigest()[:_KEY_ID_LENGTH]


def _openssl(*line: str, file: Path) -> bytes:
    done = _run(*line)
    if done.returncode != 0:
        raise InputError("is no such key", file=file, allowed="PEM of a key for Ed25519")
    return done.stdout


def _run(*line: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("openssl")
    if program is None:
        raise InputError("openssl is not installed", allowed="OpenSSL 3, `apt-get install openssl`")
    return subprocess.run([program, *line], capture_output=True, check=False)
