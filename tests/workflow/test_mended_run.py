"""A published run that is damaged: `run` names the file and publishes it again; else it computes nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.publish.release import damage_of, is_complete
from pipeline.workflow.run import run_command
from tests.stand_in import FEW, NOW, Workflow, publish, summary

IF_CHANGED = FEW._replace(if_changed=True)
RESULTS = Path("results/tiny")


def keep_time(path: Path, content: bytes) -> None:
    times = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def in_manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        change(manifest)
        keep_time(folder / "manifest.json", json.dumps(manifest).encode())

    return damage


def one_more_day(manifest: dict) -> None:
    until = NOW + timedelta(hours=48)
    manifest["valid"]["until"] = until.isoformat()
    manifest["valid_utc"]["stopTime"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")


FILE, MANIFEST = "public/a.txt", "manifest.json"
DAMAGES: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "bit": (FILE, "is not what was published", lambda run: keep_time(run / FILE, b"`")),
    "longer": (FILE, "has 2 bytes, published were 1", lambda run: keep_time(run / FILE, b"aa")),
    "cut off": (FILE, "has 0 bytes, published were 1", lambda run: keep_time(run / FILE, b"")),
    "missing": (FILE, "is missing", lambda run: (run / FILE).unlink()),
    "folder missing": (FILE, "is missing", lambda run: shutil.rmtree(run / "public")),
    "manifest missing": (MANIFEST, "cannot be read", lambda run: (run / MANIFEST).unlink()),
    "manifest cut off": (MANIFEST, "cannot be read", lambda run: keep_time(run / MANIFEST, b"{")),
    "file listed that is none": (
        MANIFEST,
        "is not what was published",
        in_manifest(lambda manifest: manifest["outputs"].append(dict(manifest["outputs"][0], path="b.txt"))),
    ),
    "file not listed": (
        MANIFEST,
        "is not what was published",
        in_manifest(lambda manifest: manifest["outputs"].clear()),
    ),
    "cap raised": (
        MANIFEST,
        "is not what was published",
        in_manifest(lambda manifest: manifest["query"]["devices"][0].update(cap_dbm=56.0)),
    ),
    "hash and file changed": (
        MANIFEST,
        "is not what was published",
        in_manifest(lambda manifest: manifest["outputs"][0].update(sha256="0" * 64)),
    ),
    "period extended": (MANIFEST, "is not what was published", in_manifest(one_more_day)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("options", [IF_CHANGED, FEW], ids=["if changed", "always"])
def test_damaged_file_is_named_and_published_again(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str], damage: str, options: object
) -> None:
    folder = publish(tiny)
    file, problem, spoil = DAMAGES[damage]
    spoil(folder)
    assert not is_complete(RESULTS)
    assert run_command(tiny, options) == 0
    assert workflow.runs == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "published again" in line]
    assert line == f"channelmaps: results/tiny/latest/{file}: {problem}: published again"
    assert summary(tiny)["outcome"] == "published"
    assert damage_of(RESULTS) is None
    assert is_complete(RESULTS)
    assert (RESULTS / "latest").readlink() == Path(folder.name)
    assert (RESULTS / "latest" / FILE).read_bytes() == b"a"
    assert run_command(tiny, IF_CHANGED) == 0
    assert workflow.runs == 1, "nothing is left to do"


def test_damage_of_a_run_that_is_replaced_anyway_is_not_linked_into_the_next(
    tiny: Path, workflow: Workflow, change_station: Callable[..., None]
) -> None:
    first = publish(tiny)
    keep_time(first / FILE, b"`")
    change_station(0, erp_kw=2.0)
    assert run_command(tiny, IF_CHANGED) == 0
    assert (RESULTS / "latest").readlink() != Path(first.name)
    assert (RESULTS / "latest" / FILE).read_bytes() == b"a"
    assert is_complete(RESULTS)


def test_run_whose_files_do_not_stay_whole_has_failed(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a disk that loses what is written."""
    publish(tiny)
    keep_time(RESULTS / "latest" / FILE, b"`")
    monkeypatch.setattr("tests.stand_in.publish", lambda _: None)
    assert run_command(tiny, IF_CHANGED) == 1
    assert f"latest/{FILE}: is not what was published: the run has failed" in capfd.readouterr().err


def test_renewed_period_is_no_damage(tiny: Path, workflow: Workflow) -> None:
    publish(tiny, NOW - timedelta(hours=20))
    assert run_command(tiny, IF_CHANGED) == 0
    assert workflow.runs == 0
    assert summary(tiny)["validity_renewed"]
    assert damage_of(RESULTS) is None
    assert run_command(tiny, IF_CHANGED) == 0
    assert workflow.runs == 0


@pytest.mark.parametrize("hours", [0.333333, 24.0, 0.0167])
def test_period_of_any_length_fits(tiny: Path, workflow: Workflow, hours: float) -> None:
    tiny.write_text(tiny.read_text() + f"validity_hours: {hours}\n")
    publish(tiny, NOW.replace(microsecond=999_999))
    assert damage_of(RESULTS) is None


def test_no_bit_of_the_manifest_can_flip_unnoticed(tiny: Path, workflow: Workflow) -> None:
    manifest = publish(tiny) / MANIFEST
    content = manifest.read_bytes()
    assert damage_of(RESULTS) is None
    chosen = random.Random(10).sample(range(8 * len(content)), 590)
    for bit in chosen:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        keep_time(manifest, bytes(flipped))
        if damage_of(RESULTS) is None:  # as 1e5 and 1E5
            assert json.loads(bytes(flipped)) == json.loads(content), (bit, content[bit // 8 - 40 :][:80])
