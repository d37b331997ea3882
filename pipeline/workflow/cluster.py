"""The Dask cluster of a run: its address and the files of an encrypted connection, checked (docs/dask.md).

Whoever reaches a scheduler without TLS can have its workers run any code, with the rights of their user.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import sys
from pathlib import Path
from typing import NamedTuple

from pipeline.blocks import SCHEDULER_VARIABLE, TlsFiles, check_cluster, tls_configured, tls_variables
from pipeline.errors import InputError

_ADDRESS = re.compile(
    r"(?:(?P<scheme>tcp|tls)://)?(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})"
)
_LAST_PORT = 65_535
_OPTION = "--dask-address"


class Cluster(NamedTuple):
    """Where the scheduler is, and the files of the options ``--dask-tls-...``; those of dask where absent."""

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def cluster_of(address: str | None, ca: Path | None, cert: Path | None, key: Path | None) -> Cluster | None:
    """The cluster of the options, None where there is none; InputError for TLS files without an address."""
    if address is None and (ca or cert or key):
        raise InputError("is missing beside files for TLS", field=_OPTION, allowed="tls://HOST:PORT")
    return None if address is None else Cluster(address, ca, cert, key)


def threads_of(cluster: Cluster) -> int:
    """Number of threads behind a scheduler; one that cannot compute this run raises InputError.

    An address of another machine without TLS is used, with a line on the standard error output.
    """
    host, tls = _parsed(cluster.address), _tls_of(cluster)
    if tls is None and not _is_this_machine(host):
        text = "is neither encrypted nor asks who connects: see docs/dask.md for tls://"
        print(f"channelmaps: {_OPTION} {cluster.address} {text}", file=sys.stderr, flush=True)
    try:
        return check_cluster(cluster.address, tls)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise _refused(
            _problem(error, tls), cluster.address, "a scheduler with workers, see docs/dask.md"
        ) from error


def cluster_variables(cluster: Cluster) -> dict[str, str]:
    """Variables of the environment by which jobs find the cluster."""
    tls = _tls_of(cluster)
    return {SCHEDULER_VARIABLE: cluster.address, **(tls_variables(tls) if tls else {})}


def _parsed(address: str) -> str:
    """The host of an address."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) <= _LAST_PORT:
        raise _refused("is no address", address, "tls://HOST:PORT or tcp://HOST:PORT")
    return match["host"].strip("[]")


def _tls_of(cluster: Cluster) -> TlsFiles | None:
    """The files of an encrypted connection, None for one that is not; InputError for what cannot be used."""
    given = {"--dask-tls-ca": cluster.ca, "--dask-tls-cert": cluster.cert, "--dask-tls-key": cluster.key}
    if not cluster.address.startswith("tls://"):
        if any(given.values()):
            raise _refused("files for TLS, but an address without it", cluster.address, "tls://HOST:PORT")
        return None
    ca, cert, key = given.values()
    files = TlsFiles(ca, cert, key) if ca and cert and key else None
    if files is None and not any(given.values()):
        files = tls_configured()
    if files is None:
        missing = next(name for name, path in given.items() if path is None)
        raise InputError(
            "is missing: an address with tls:// needs three files", field=missing, allowed="a PEM file"
        )
    _check_files(files)
    return files


def _check_files(files: TlsFiles) -> None:
    for option, path in zip(("--dask-tls-ca", "--dask-tls-cert", "--dask-tls-key"), files, strict=True):
        if not path.is_file():
            raise InputError("file does not exist", file=path, field=option, allowed="a PEM file")
    try:
        context = ssl.create_default_context(cafile=str(files.ca))
    except OSError:
        raise InputError(
            "holds no certificate", file=files.ca, field="--dask-tls-ca", allowed="PEM"
        ) from None
    try:
        # Without a password for the key OpenSSL would ask the terminal, in each job.
        context.load_cert_chain(str(files.cert), str(files.key), password=lambda: "")
    except (OSError, ValueError):
        text = "is no key without password that fits the certificate"
        allowed = f"the PEM key of {files.cert}"
        raise InputError(text, file=files.key, field="--dask-tls-key", allowed=allowed) from None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _problem(error: Exception, tls: TlsFiles | None) -> str:
    """What went wrong in one line; a scheduler with TLS only closes the connection of others."""
    text = " ".join(str(error).split()) or type(error).__name__
    if tls is None and "ConnectionResetError" in text:
        return "the scheduler closed the connection: does it speak tls:// only?"
    return text


def _refused(problem: str, address: str, allowed: str) -> InputError:
    return InputError(problem, field=_OPTION, value=address, allowed=allowed)
