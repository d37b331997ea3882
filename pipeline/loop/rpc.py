"""The envelope of JSON-RPC 2.0: text to requests, answers to text.

Stricter than ``json``: what two programs could read differently (members named twice, numbers beyond a
double, NaN, halves of characters, very deep nesting) is no JSON here.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, NoReturn

from pipeline.files import JsonObject
from pipeline.query.paws_request import is_text

_LONGEST_ID, _LARGEST_BATCH, _DEEPEST, _LONGEST_WHOLE = 256, 50, 20, 309
# Texts as a whole, also one that never ends, so that brackets in them do not count.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_BETWEEN = ","
# Nobody outside knows it, so no text of a device can be taken for it.
_STAND_IN = secrets.token_hex(16)
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
MESSAGES = {
    -32700: "Parse error",
    -32600: "Invalid Request",
    -32601: "Method not found",
    -32602: "Invalid params",
    -32603: "Internal error",
}
# What is done with one request: the method, its parameters; the member `result` or `error` of the answer.
Handler = Callable[["RpcRequest"], tuple[str, JsonObject]]


class RpcRequest(NamedTuple):
    """One valid request; ``request_id`` as JSON text, None for a notification, which is never executed.

    ``body_sha256`` of the whole body that it came in.
    """

    method: str
    params: Any
    request_id: str | None
    body_sha256: str = ""


class RpcFault(NamedTuple):
    """One that is none: the error code, and its id as JSON text where it can be read."""

    code: int
    request_id: str = "null"


class Envelope(NamedTuple):
    """What a body holds; several elements are answered as a list."""

    parts: list[RpcRequest | RpcFault]
    is_batch: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A part of an answer that is JSON text already: it is the same in many answers."""

    text: str


class _Exact(float):
    """A number that goes back as it was written."""

    text: str


def read_envelope(body: bytes) -> Envelope:
    """Requests of a body (JSON-RPC 2.0, sections 4 and 6); never raises."""
    try:
        content = _parsed(body)
    except (ValueError, RecursionError):
        return Envelope([RpcFault(-32700)], is_batch=False)
    digest = sha256(body).hexdigest()
    if not isinstance(content, list):
        return Envelope([_request_of(content, digest)], is_batch=False)
    if not 1 <= len(content) <= _LARGEST_BATCH:
        return Envelope([RpcFault(-32600)], is_batch=False)
    return Envelope([_request_of(one, digest) for one in content], is_batch=True)


def answer_envelope(envelope: Envelope, handle: Handler) -> bytes | None:
    """The answer's text; None where there is nothing to answer (HTTP 204)."""
    answers = [text for part in envelope.parts if (text := _answer_of(part, handle)) is not None]
    if not answers:
        return None
    return (f"[{_BETWEEN.join(answers)}]" if envelope.is_batch else answers[0]).encode()


def _answer_of(part: RpcRequest | RpcFault, handle: Handler) -> str | None:
    if isinstance(part, RpcFault):
        return _error_text(part.code, part.request_id)
    if part.request_id is None:
        return None
    member, content = handle(part)
    text = json_text(content)
    if member == "result":
        return f'{{"jsonrpc":"2.0","id":{part.request_id},"result":{text}}}'
    return f'{{"jsonrpc":"2.0","error":{text},"id":{part.request_id}}}'


def json_text(content: object) -> str:
    """Plain data as JSON, with parts that are ``Written`` as they are."""
    parts: list[str] = []

    def stand_in(value: object) -> str:
        if not isinstance(value, Written):
            raise TypeError(f"{value!r} is not plain data")
        parts.append(value.text)
        return _STAND_IN

    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=stand_in)
    pieces = text.split(f'"{_STAND_IN}"')
    return "".join(itertools.chain.from_iterable(itertools.zip_longest(pieces, parts, fillvalue="")))


def rpc_error(code: int) -> JsonObject:
    """An error object of the envelope (JSON-RPC 2.0, section 5.1)."""
    return {"code": code, "message": MESSAGES[code]}


def _error_text(code: int, request_id: str) -> str:
    return f'{{"jsonrpc":"2.0","error":{json.dumps(rpc_error(code))},"id":{request_id}}}'


def _request_of(content: object, digest: str) -> RpcRequest | RpcFault:
    if not isinstance(content, dict):
        return RpcFault(-32600)
    request_id = _id_text(content["id"]) if "id" in content else None
    if "id" in content and request_id is None:
        return RpcFault(-32600)
    method, params = content.get("method"), content.get("params")
    if (
        content.get("jsonrpc") != "2.0"
        or not isinstance(method, str)
        or not isinstance(params, dict | list | None)
    ):
        return RpcFault(-32600, request_id or "null")
    return RpcRequest(method, {} if params is None else params, request_id, digest)


def _id_text(value: object) -> str | None:
    """An id as the JSON that goes back; None for what is none, or too long."""
    if isinstance(value, _Exact):
        text = value.text
    elif value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        text = json.dumps(value, ensure_ascii=False)
    else:
        return None
    octets = len(value.encode()) if isinstance(value, str) else len(text)
    return text if octets <= _LONGEST_ID else None


def _parsed(body: bytes) -> object:
    text = body.decode("utf-8-sig")
    if text.count("[") + text.count("{") > _DEEPEST:
        _check_depth(text)
    content: object = _DECODER.decode(text)
    if _HALF_CHARACTER.search(text) and not is_text(content):
        raise ValueError("a lone surrogate")
    return content


def _check_depth(text: str) -> None:
    """ValueError for deeper nesting than any message has; before parsing, which would go as deep."""
    depth = 0
    for match in _TOKENS.finditer(text):
        mark = match[0][0]
        if mark != '"':
            depth += 1 if mark in "[{" else -1
            if depth > _DEEPEST:
                raise ValueError("nested too deeply")


def _members(pairs: Sequence[tuple[str, object]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is named twice")
    return found


def _exact(text: str) -> _Exact:
    number = _Exact(text)
    if not abs(number) <= sys.float_info.max:
        raise ValueError("a number beyond a double")
    number.text = text
    return number


def _whole(text: str) -> int | _Exact:
    if text == "-0":
        return _exact(text)
    if len(text.lstrip("-")) > _LONGEST_WHOLE or not abs(float(text)) <= sys.float_info.max:
        raise ValueError("a number beyond a double")
    return int(text)


def _no_number(_: str) -> NoReturn:
    raise ValueError("no number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_exact, parse_int=_whole, parse_constant=_no_number
)
