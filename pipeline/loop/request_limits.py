"""How often is asked, by buckets of tokens for devices and addresses; what an HTTP request may be."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from starlette.types import Receive

_MOST_BUCKETS = 100_000
LARGEST_BODY, _LARGEST_REQUEST = 1_048_576, 65_536
_JSON_TYPES = ("application/json", "application/json-rpc")
_BOM = b"\xef\xbb\xbf"
_BODY_S = 10.0
_GZIP = zlib.MAX_WBITS | 16


class Refused(Exception):
    """An HTTP request that is not answered by JSON-RPC: its status."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(str(status))


class Buckets:
    """Tokens by key: ``burst`` at once, ``per_s`` on average; 0 a second is no limit."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, key: str, now_s: float) -> float:
        """Take a token; how long until there is one where there is none, else 0."""
        if self._per_s <= 0.0:
            return 0.0
        with self._lock:
            tokens, at_s = self._known.pop(key, (float(self._burst), now_s))
            tokens = min(float(self._burst), tokens + max(0.0, now_s - at_s) * self._per_s)
            taken = tokens >= 1.0
            self._known[key] = (tokens - taken, now_s)
            if len(self._known) > _MOST_BUCKETS:
                self._known.popitem(last=False)
        return 0.0 if taken else (1.0 - tokens) / self._per_s


async def body_of(receive: Receive) -> bytes:
    """The body, read no farther than any may be; Refused where it takes too long, or nobody waits."""
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(_BODY_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(408, {"connection": "close"})
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False)
                if size > LARGEST_BODY:
                    raise Refused(413, {"connection": "close"})
    except TimeoutError:
        raise Refused(408, {"connection": "close"}) from None
    return b"".join(parts)


def token_sha256(authorization: str | None) -> str:
    """SHA-256 (hex) of the token that a header brings."""
    return sha256((authorization or "").removeprefix("Bearer ").encode()).hexdigest()


class Http(NamedTuple):
    """Headers of a request that count, in lower case."""

    content_type: str
    content_encoding: str
    accept: str
    content_length: str | None
    chunked: bool
    authorization: str


def http_of(headers: Mapping[str, str]) -> Http:
    """The headers of a request."""
    return Http(
        headers.get("content-type", "").lower(),
        headers.get("content-encoding", "identity").lower().strip() or "identity",
        headers.get("accept", "*/*").lower(),
        headers.get("content-length"),
        "chunked" in headers.get("transfer-encoding", "").lower(),
        headers.get("authorization", ""),
    )


def check_http(http: Http) -> None:
    """Refused for a body that cannot be JSON, an answer that cannot be read, a body without end."""
    kind, *parameters = (part.strip() for part in http.content_type.split(";"))
    charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset")]
    if kind not in _JSON_TYPES or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise Refused(415)
    if http.content_encoding not in ("identity", "gzip"):
        raise Refused(415)
    if not _accepts_json(http.accept):
        raise Refused(406)
    if http.content_length is None and not http.chunked:
        raise Refused(411)
    if http.content_length is not None and int(http.content_length) > LARGEST_BODY:
        raise Refused(413, {"connection": "close"})


def _accepts_json(accept: str) -> bool:
    for part in accept.split(","):
        kind, *parameters = (one.strip() for one in part.split(";"))
        if kind in ("*/*", "application/*", *_JSON_TYPES, "") and "q=0" not in parameters:
            return True
    return False


def content_of(body: bytes, encoding: str) -> bytes:
    """A body as it was before it was packed; Refused where it is too large, or no gzip."""
    if encoding == "gzip":
        unpacking = zlib.decompressobj(_GZIP)
        try:
            content = unpacking.decompress(body, LARGEST_BODY + 1)
        except zlib.error:
            raise Refused(400) from None
        if not unpacking.eof and len(content) <= LARGEST_BODY:
            raise Refused(400)  # cut off: its check sum is missing
    else:
        content = body
    if len(content) > LARGEST_BODY:
        raise Refused(413, {"connection": "close"})
    first = content.removeprefix(_BOM).lstrip()[:1]
    if len(content) > _LARGEST_REQUEST and first != b"[":
        raise Refused(413, {"connection": "close"})
    return content
