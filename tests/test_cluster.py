"""Blocks on a Dask cluster: as on threads, also when a worker is lost, and never by other code."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest

from pipeline import blocks
from pipeline.cli.main import main
from pipeline.coverage.tiles import compute_block
from pipeline.errors import InputError
from pipeline.workflow import cluster as cluster_module
from pipeline.workflow.cluster import Cluster, cluster_variables, threads_of
from pipeline.workflow.run import RunOptions, run_command
from tests.dask_cluster import dask_cluster, make_certificate

pytest.importorskip("distributed")

SHAPE = (100, 70)
PLACES = [(r, c) for r in range(0, 100, 16) for c in range(0, 70, 16)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(Path.cwd(), tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture
def cluster(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(blocks.SCHEDULER_VARIABLE, address)
    return address


def test_blocks_of_a_cluster_come_in_order_with_their_parts(cluster: str) -> None:
    raster = np.arange(7000.0).reshape(SHAPE)
    shift = np.float64(0.5)

    def block(rows: slice, cols: slice, part: np.ndarray, nothing: None) -> tuple[int, np.ndarray]:
        assert nothing is None
        return os.getpid(), part + shift

    found = list(blocks.map_blocks(block, SHAPE, 16, 1, cut=(raster, None)))
    assert [(rows.start, cols.start) for rows, cols, _ in found] == PLACES
    for rows, cols, (_, part) in found:
        np.testing.assert_array_equal(part, raster[rows, cols] + 0.5)
    workers = {pid for _, _, (pid, _) in found}
    assert os.getpid() not in workers
    assert len(workers) > 1


def test_blocks_of_a_lost_worker_are_computed_by_others(cluster: str, tmp_path: Path) -> None:
    def block(rows: slice, cols: slice) -> tuple[int, int]:
        lost = tmp_path / "lost"
        if (rows.start, cols.start) == (48, 32) and not lost.exists():
            lost.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return rows.start, cols.start

    found = [result for _, _, result in blocks.map_blocks(block, SHAPE, 16, 1)]
    assert (tmp_path / "lost").exists()
    assert found == PLACES


def test_exception_on_a_worker_reaches_the_caller(cluster: str) -> None:
    def fail(rows: slice, cols: slice) -> None:
        if rows.start == 3:
            raise InputError("block 3")

    with pytest.raises(InputError, match="block 3"):
        list(blocks.map_blocks(fail, (10, 1), 1, 1))


def test_kernels_are_sent_by_name() -> None:
    closed_over = np.zeros(3)
    kernel, values = pickle.loads(blocks.packed(lambda: (compute_block, closed_over)))()
    assert kernel is compute_block
    assert values.flags.writeable


def test_workers_with_other_code_are_refused(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < blocks.check_cluster(cluster) <= 3  # one that was lost may not be back yet
    monkeypatch.setattr(blocks, "_code_hash", lambda: "of another checkout")
    with pytest.raises(RuntimeError, match="other code or other packages"):
        blocks.check_cluster(cluster)
    with pytest.raises(RuntimeError, match="other code or other packages"):
        list(blocks.map_blocks(lambda r, c: None, (2, 1), 1, 1))


def test_workers_in_another_folder_are_refused(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="both need the same folder"):
        blocks.check_cluster(cluster)


def test_scheduler_without_workers_is_refused(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    refused = pytest.raises(InputError, match=r"--dask-address.*has no workers")
    with dask_cluster(tiny.parent, tmp_path_factory.mktemp("empty"), workers=0) as empty, refused:
        run_command(tiny, RunOptions(cluster=Cluster(empty)))
    assert not (tiny.parent / "build").exists()


def test_address_without_a_scheduler_is_refused(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(blocks, "CONNECT_S", 0.5)
    monkeypatch.setattr("sys.argv", ["channelmaps", "run", str(tiny), "--dask-address", "tcp://127.0.0.1:9"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--dask-address" in capsys.readouterr().err.splitlines()[-1]
    assert not (tiny.parent / "build").exists()


# --- who may connect ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> blocks.TlsFiles:
    return make_certificate(tmp_path_factory.mktemp("tls"), "cluster")


@pytest.fixture(scope="module")
def encrypted(tls: blocks.TlsFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(Path.cwd(), tmp_path_factory.mktemp("dask_tls"), workers=1, tls=tls) as running:
        yield running


def test_encrypted_cluster_computes_for_who_has_the_certificate(
    encrypted: str, tls: blocks.TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert encrypted.startswith("tls://")
    cluster = Cluster(encrypted, *tls)
    assert threads_of(cluster) == 1
    for name, value in cluster_variables(cluster).items():
        monkeypatch.setenv(name, value)
    started_with = copy.deepcopy(dask.config.global_config)  # of a job in this environment
    dask.config.update(started_with, dask.config.collect_env())
    with dask.config.set(started_with):
        assert threads_of(Cluster(encrypted)) == 1
        found = list(blocks.map_blocks(lambda rows, cols: os.getpid(), (2, 1), 1, 1))
    assert os.getpid() not in {pid for _, _, pid in found}


def test_encrypted_cluster_refuses_others_in_one_line(
    encrypted: str, tls: blocks.TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CONNECT_S", 4)
    other = make_certificate(tmp_path, "other")
    plain = encrypted.replace("tls://", "tcp://")
    for cluster, said in (
        (Cluster(plain), "does it speak tls:// only"),
        (Cluster(encrypted, *other), "certificate"),
        (Cluster(encrypted), "--dask-tls-ca"),
        (Cluster(encrypted, tls.ca), "--dask-tls-cert"),
        (Cluster(encrypted, tls.ca, tls.cert, other.key), "fits the certificate"),
        (Cluster(encrypted, tls.key, tls.cert, tls.key), "holds no certificate"),
        (Cluster(encrypted, tls.ca, tls.cert, tmp_path / "none.pem"), "does not exist"),
        (Cluster(plain, *tls), "an address without it"),
    ):
        with pytest.raises(InputError, match=said) as refusal:
            threads_of(cluster)
        assert "\n" not in str(refusal.value)


def test_key_with_a_password_is_refused_and_not_asked_for(tls: blocks.TlsFiles, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    command = [
        "openssl",
        "rsa",
        "-in",
        str(tls.key),
        "-aes128",
        "-passout",
        "pass:secret",
        "-out",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(InputError, match="key without password"):
        threads_of(Cluster("tls://127.0.0.1:9", tls.ca, tls.cert, locked))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "tcp://",
        "tcp://host",
        "tcp://host:0",
        "tcp://host:65536",
        "tcp://host:x",
        "ucx://host:1",
        "inproc://x",
        "ftp://host:1",
        "tcp://a\nb:1",
        "host",
        "tcp://host:1/x",
        "/tmp/scheduler.json",
        "tls://:1",
    ],
)
def test_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(InputError, match="--dask-address: is no address") as refusal:
        threads_of(Cluster(address))
    assert "\n" not in str(refusal.value)


def test_address_elsewhere_without_encryption_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_module, "check_cluster", lambda address, tls: 7)
    for address, told in (
        ("tcp://login1:8786", True),
        ("10.0.0.1:8786", True),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://[::1]:8786", False),
        ("localhost:8786", False),
    ):
        assert threads_of(Cluster(address)) == 7
        assert ("neither encrypted" in capsys.readouterr().err) == told


def test_job_without_its_cluster_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CONNECT_S", 0.5)
    monkeypatch.setenv(blocks.SCHEDULER_VARIABLE, "tls://127.0.0.1:9")
    with pytest.raises(InputError) as refusal:
        list(blocks.map_blocks(lambda rows, cols: None, (2, 1), 1, 1))
    assert "DASK_SCHEDULER_ADDRESS" in str(refusal.value)


def test_commands_of_the_page_listen_on_this_machine_only(repository: Path) -> None:
    """A scheduler's and a worker's ports, and those of their dashboards, are open to everybody by default."""
    page = (repository / "docs/dask.md").read_text(encoding="utf-8")
    first = page.split("```")[1]
    for program in ("scheduler", "worker"):
        (command,) = [line for line in first.splitlines() if f"dask {program}" in line]
        assert "127.0.0.1" in command.split("--host", 1)[1].split()[0]
        assert "--dashboard-address 127.0.0.1:" in command
