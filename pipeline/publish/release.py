"""A complete set of files appears before readers at once: they see the old run or the new one, no mixture.

    results/<territory>/<run_id>/...    files 0444, never modified again
    results/<territory>/latest          relative symlink, replaced atomically
    results/<territory>/.published      written last; the only file here that the workflow knows

Files are copied, not hard-linked, out of build/: a hard link would share its read-only mode with the
workflow's own output, and the workflow refuses to replace write-protected outputs. Between runs equal files
are hard-linked, so that a scheduled run costs disk space only for what changed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.companions import AUXILIARY
from pipeline.config.incumbents import utc_readings
from pipeline.files import INTERNAL, copy_whole, json_bytes, keep_from_others, write_whole
from pipeline.hashing import file_sha256, json_hash, sha256_of_files

if TYPE_CHECKING:  # queries read periods, and begin without the workflow and its compiler
    from pipeline.plan.plan import Plan

LATEST, STAMP, MANIFEST = "latest", ".published", "manifest.json"
REPORT, ANNEX, PDF = "report.html", "report_annex.html", "report.pdf"
# With all that names protected stations; those beside ``public/`` name none.
INTERNAL_MANIFEST, INTERNAL_REPORT = f"{INTERNAL}/{MANIFEST}", f"{INTERNAL}/{REPORT}"
# Member of a public manifest: what it leaves out.
WITHHELD = "withheld"
# These tell the time: runs of one content differ in them.
_TIMED = tuple(
    f"{folder}{name}" for name in (REPORT, ANNEX, PDF, MANIFEST) for folder in (f"{INTERNAL}/", "")
)
READ_ONLY = 0o444
# Member of the manifest: hash of the others but the period, which is renewed and follows from them.
_SEAL, _PERIOD = "content_hash", ("valid", "valid_utc", "renewed_at")
_CHANGED = "is not what was published"
_Digests = dict[str, str]
UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def release(
    files: Mapping[str, Path],
    results: Path,
    run_id: str,
    describe: Callable[[_Digests], Mapping[str, object]],
    public: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None,
) -> Path:
    """Publish ``files`` (name in the run's folder -> source) and return the run's folder.

    ``describe`` turns the SHA-256 of all files, by name, into the manifest; ``public`` leaves out of it what
    only the one in ``internal/`` may tell (None: nothing, and there is one manifest). Whatever fails leaves
    ``latest`` and all earlier runs as they were; the last two steps rename what is on the disk already.
    """
    waiting, final, stamp = results / f".{run_id}.tmp", results / run_id, results / f"{STAMP}.tmp"
    _remove_unfinished(results)
    waiting.mkdir(parents=True)
    try:
        write_whole(stamp, run_id + "\n")
        digests = _copy_all(files, waiting, results / LATEST)
        manifest = describe(digests)
        if public is not None:
            write_whole(waiting / INTERNAL_MANIFEST, json_bytes(_sealed(manifest)), mode=READ_ONLY)
            manifest = public(manifest)
        write_whole(waiting / MANIFEST, json_bytes(_sealed(manifest)), mode=READ_ONLY)
        if holds(final, {name: digest for name, digest in digests.items() if name not in _TIMED}):
            _replace_timed(waiting, final)
        else:
            os.sync()  # an outage after the next step must not find half-written files under `latest`
            _put_in_place(waiting, final)
        point_to(results / LATEST, run_id)
        stamp.replace(results / STAMP)
    finally:
        _remove_unfinished(results)
    return final


def _replace_timed(waiting: Path, final: Path) -> None:
    """Put what tells the time into the folder of a run that is published already; the manifest last.

    A report that is not made again, such as a PDF without a program for it, would be that of another time.
    """
    for name in _TIMED:
        if not (waiting / name).is_file() and not name.endswith(MANIFEST):
            (final / name).unlink(missing_ok=True)
        elif (waiting / name).is_file():
            (final / name).parent.mkdir(exist_ok=True)
            keep_from_others((final / name).parent)
            (waiting / name).replace(final / name)


def holds(folder: Path, digests: Mapping[str, str]) -> bool:
    """Whether a folder has all these files with this content."""
    paths = {name: folder / name for name in digests}
    return all(path.is_file() for path in paths.values()) and all(
        file_sha256(paths[name]) == digest for name, digest in digests.items()
    )


def point_to(link: Path, target: str) -> None:
    """Make a relative symlink point to its sibling ``target``; a reader finds the old one or the new one."""
    waiting = link.with_name(f".{link.name}.tmp")
    waiting.unlink(missing_ok=True)
    waiting.symlink_to(target)
    waiting.replace(link)


def is_complete(results: Path) -> bool:
    """Whether ``latest`` is the run of the stamp, with its manifest and all files as they were published."""
    try:
        run_id = (results / STAMP).read_text().strip()
        return str((results / LATEST).readlink()) == run_id and damage_of(results) is None
    except (OSError, ValueError):
        return False


def damage_of(results: Path) -> tuple[Path, str] | None:
    """The first file of ``latest`` that is not as it was published, and what is wrong; None if all are."""
    folder = results / LATEST
    path = folder / MANIFEST
    try:
        manifest = _read_manifest(path)
        for path in [folder / INTERNAL_MANIFEST] * (WITHHELD in manifest) + [folder / MANIFEST]:
            manifest = _read_manifest(path)
            if manifest != _sealed(manifest) or not _period_fits(manifest):
                return path, _CHANGED
        known = {folder / item["path"]: (item["sha256"], item.get("bytes")) for item in manifest["outputs"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return path, "cannot be read"
    found = sha256_of_files(known)
    for path, (digest, size) in known.items():
        if found[path] is None:
            return path, "is missing"
        # GDAL adds statistics to its side files where somebody looks at a raster and may write there.
        if found[path] != digest and not path.name.endswith(AUXILIARY):
            length = path.stat().st_size
            return path, _CHANGED if size in (None, length) else f"has {length} bytes, published were {size}"
    return None


def _read_manifest(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_bytes()))


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest, but for its period, is what was published; one of an older version always is."""
    return _SEAL not in manifest or manifest == _sealed(manifest)


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with the hash of its content."""
    content = {name: value for name, value in manifest.items() if name not in {_SEAL, *_PERIOD}}
    return {**manifest, _SEAL: json_hash(content)}


def _period_fits(manifest: Mapping[str, Any]) -> bool:
    """Whether the period of a manifest is what its other parts say; true without one."""
    if "valid" not in manifest:
        return True
    settings = manifest["config"]["settings"]
    begin = manifest.get("renewed_at", manifest["computed_at"])
    if manifest["bookings"] is not None and settings["pmse"]["at"] is not None:
        begin = settings["pmse"]["at"]
    valid = _period(datetime.fromisoformat(begin), settings["validity_hours"])
    utc = utc_period(valid, settings["query"]["time_zone"])
    return (manifest["valid"], manifest["valid_utc"]) == (valid, utc)


def _remove_unfinished(results: Path) -> None:
    """Remove what releases that failed or were killed left; only one is under way at a time in a folder."""
    for path in results.glob(".*.tmp"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _copy_all(files: Mapping[str, Path], folder: Path, previous: Path) -> _Digests:
    known = _known_digests(previous)
    digests: _Digests = {}
    for name in sorted(files):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        keep_from_others(target.parent)
        digests[name] = file_sha256(files[name])
        if known.get(name) != digests[name] or not _linked(previous / name, target, digests[name]):
            copy_whole(files[name], target, mode=READ_ONLY)
    return digests


def _linked(source: Path, target: Path, digest: str) -> bool:
    """Hard-link a file of the previous run if it still is what its manifest says."""
    try:
        if file_sha256(source) != digest:
            return False
        target.hardlink_to(source.resolve())
        keep_from_others(target)  # of a run that was made before
    except OSError:  # no such file, or a file system without hard links
        return False
    return True


def _known_digests(folder: Path) -> _Digests:
    try:
        outputs = json.loads((folder / MANIFEST).read_text())["outputs"]
        return {item["path"]: item["sha256"] for item in outputs}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _put_in_place(waiting: Path, final: Path) -> None:
    """Rename the new folder into place; a damaged folder of the same run is moved out of the way first."""
    damaged = final.with_name(f".{final.name}.damaged")
    shutil.rmtree(damaged, ignore_errors=True)
    if final.exists():
        final.rename(damaged)
    try:
        waiting.rename(final)
    except OSError:
        if damaged.exists():
            damaged.rename(final)
        raise
    shutil.rmtree(damaged, ignore_errors=True)


# --- periods of validity ------------------------------------------------------------------------------------


def validity(plan: Plan, now: datetime) -> dict[str, str]:
    """How long answers may be used: from now on (UTC), or from the time for which PMSE bookings were taken.

    The latter is local time of the register, without a zone.
    """
    begin = now
    if plan.bookings is not None and plan.config.pmse.at is not None:
        begin = datetime.fromisoformat(plan.config.pmse.at)
    return _period(begin, plan.config.validity_hours)


def _period(begin: datetime, hours: float) -> dict[str, str]:
    begin = begin.replace(microsecond=0)
    until = begin + timedelta(hours=hours)
    return {"from": begin.isoformat(), "until": until.isoformat(timespec="seconds")}


def utc_period(valid: Mapping[str, str], time_zone: str) -> dict[str, str]:
    """``valid`` of a manifest as start and stop in UTC; times without a zone are those of ``time_zone``.

    Where the clocks are put back or forward a local time comes twice or not at all: the period taken is the
    shortest that it may stand for.
    """
    start, stop = (_readings(datetime.fromisoformat(valid[name]), time_zone) for name in ("from", "until"))
    return {"startTime": max(start).strftime(UTC_FORMAT), "stopTime": min(stop).strftime(UTC_FORMAT)}


def period_of_bookings(plan: Plan) -> tuple[str, str] | None:
    """Start and stop, in UTC, of the time whose bookings the maps protect; None without bookings."""
    config = plan.config
    if plan.bookings is None or config.pmse.at is None:
        return None
    begin = datetime.fromisoformat(config.pmse.at)
    end = begin + timedelta(hours=config.validity_hours)
    period = utc_period({"from": begin.isoformat(), "until": end.isoformat()}, config.query.time_zone)
    return period["startTime"], period["stopTime"]


def renew_validity(results: Path, plan: Plan, now: datetime) -> bool:
    """Give ``latest`` a new period from ``now`` (UTC) if less than half of its own is left; whether it did.

    The caller knows that the run is that of ``plan``. A period that PMSE bookings fix (``pmse.at``) stays.
    OSError, and the manifest as it was, if it cannot be written.
    """
    latest = results / LATEST
    manifest = json.loads((latest / MANIFEST).read_text(encoding="utf-8"))
    if not _renewal_due(manifest, plan, now):
        return False
    valid = validity(plan, now)
    renewed = {
        "valid": valid,
        "valid_utc": utc_period(valid, plan.config.query.time_zone),
        "renewed_at": now.isoformat(timespec="seconds"),
    }
    # The public one last: it says whether a renewal is due.
    for path in [latest / INTERNAL_MANIFEST] * (WITHHELD in manifest) + [latest / MANIFEST]:
        found = json.loads(path.read_text(encoding="utf-8"))
        write_whole(path, json_bytes(found | renewed), mode=READ_ONLY)
    return True


def _renewal_due(manifest: Mapping[str, Any], plan: Plan, now: datetime) -> bool:
    """Whether less than half of a run's period is left, or it has not begun, and a new one would begin now.

    It has not begun where the clock was ahead when the run was computed.
    """
    if plan.bookings is not None and plan.config.pmse.at is not None:
        return False
    begin, end = (datetime.fromisoformat(manifest["valid"][name]) for name in ("from", "until"))
    return now < begin or end - now < (end - begin) / 2


def _readings(moment: datetime, time_zone: str) -> tuple[datetime, ...]:
    return utc_readings(moment, time_zone) if moment.tzinfo is None else (moment.astimezone(UTC),)
