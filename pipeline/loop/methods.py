"""The six methods of PAWS (RFC 7545, section 4): requests in, results out; PawsError for a refusal.

The order of checks, the first fault wins: type, version, rulesets; members that are missing, all at once;
members that are wrong; devices that are not served; devices that are withdrawn, or not registered; places
outside; the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from uuid import uuid4

from pipeline.files import JsonObject
from pipeline.loop.devices import find_device, key_of_sent
from pipeline.loop.members import Members
from pipeline.loop.notices import notify_use
from pipeline.loop.registering import init, register, verify_devices
from pipeline.loop.rpc import RpcRequest, rpc_error
from pipeline.loop.served import Served
from pipeline.loop.spectrum_answers import answer_batch, answer_spectrum
from pipeline.query.paws import Code, PawsError, error_object, instant_s

_LOG = logging.getLogger("channelmaps.serve")
_PREFIX = "spectrum.paws."
# Weeks that RFC 7545, section 4.1.2, asks for are at least two; devices of this database hear of a move in
# time.
_NOTICE_S = 21 * 86_400
# Codes whose errors carry `data` (RFC 7545, section 5.17).
_WITH_DATA = (Code.OUTSIDE_COVERAGE, Code.DATABASE_CHANGE, Code.MISSING)
# A result, and the rows of the table of offers that are written after it is sent.
_Answered = tuple[JsonObject, list[JsonObject]]


class Method(NamedTuple):
    """A method: what answers it, and whether it is on the disk before it is answered."""

    answer: Callable[[Served, Members, float], _Answered]
    writes: bool = False


def _without_offers(answer: Callable[[Served, Members, float], JsonObject]) -> Callable[..., _Answered]:
    return lambda served, params, now_s: (answer(served, params, now_s), [])


METHODS = {
    "init": Method(_without_offers(init)),
    "register": Method(_without_offers(register), writes=True),
    "getSpectrum": Method(answer_spectrum),
    "getSpectrumBatch": Method(answer_batch),
    "notifySpectrumUse": Method(_without_offers(notify_use), writes=True),
    "verifyDevice": Method(_without_offers(verify_devices)),
}


def method_named(name: str) -> Method | None:
    """The method of a JSON-RPC name."""
    return METHODS.get(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None


class Handled(NamedTuple):
    """What became of a request, for the journal: JSON-RPC's member and its content, rows, milliseconds."""

    member: str
    content: JsonObject
    offers: list[JsonObject]
    ms: float


def execute(served: Served, request: RpcRequest, client: str = "") -> Handled:
    """Answer a request; never raises. ``client``: SHA-256 of the token that came with it."""
    begun_s = time.perf_counter()
    member, content, offers = _execute(served, request, client)
    return Handled(member, content, offers, 1e3 * (time.perf_counter() - begun_s))


def _execute(served: Served, request: RpcRequest, client: str) -> tuple[str, JsonObject, list[JsonObject]]:
    method = method_named(request.method)
    if method is None:
        return "error", rpc_error(-32601), []
    if not isinstance(request.params, dict):
        return "error", rpc_error(-32602), []
    now_s = served.clock.now_s()
    try:
        _refuse_moved(served, now_s)
        _refuse_client(served, request.params, client)
        result, offers = method.answer(served, request.params, now_s)
        return "result", result | _change_of(served, now_s), offers
    except PawsError as error:
        return "error", error_object(_completed(served, error)), []
    except Exception as error:
        return "error", _incident(error), []


def _refuse_client(served: Served, params: Members, client: str) -> None:
    """UNAUTHORIZED where the settings demand a token and there is none, or that of another owner."""
    tokens = served.loop.client_tokens
    if not tokens:
        return
    owner = tokens.get(client)
    if owner is None:
        raise PawsError(Code.UNAUTHORIZED, "no token, or a wrong one")
    desc = params.get("deviceDesc")
    if owner and isinstance(desc, Mapping):
        with served.engine.connect() as connection:
            row = find_device(connection, key_of_sent(desc))
        if row is not None and row["owner_key"] not in (None, owner):
            raise PawsError(Code.UNAUTHORIZED, "the token is of another owner")


def _completed(served: Served, error: PawsError) -> PawsError:
    """An error with the data that its code asks for, and no other's."""
    if error.code not in _WITH_DATA:
        return PawsError(error.code, error.message)
    if error.code == Code.OUTSIDE_COVERAGE and served.neighbours:
        return PawsError(error.code, error.message, {"spec": {"databases": served.neighbours}})
    return error


def _incident(error: Exception) -> JsonObject:
    """An internal error: a number for who asks, the rest for the log."""
    number = uuid4().hex[:12]
    _LOG.exception("incident %s", number, exc_info=error)
    content = rpc_error(-32603)
    return content | {"message": f"{content['message']}, incident {number}"}


# --- another database ---------------------------------------------------------------------------------------


def _databases(served: Served) -> list[JsonObject]:
    return [{"name": one.name, "uri": one.uri} for one in served.loop.moved_to]


def _refuse_moved(served: Served, now_s: float) -> None:
    """DATABASE_CHANGE from the instant on from which another database answers."""
    loop = served.loop
    if loop.moved_to and loop.moved_from is not None and now_s >= instant_s(loop.moved_from):
        raise PawsError(
            Code.DATABASE_CHANGE, "another database answers", {"spec": {"databases": _databases(served)}}
        )


def _change_of(served: Served, now_s: float) -> JsonObject:
    """Member `databaseChange` (RFC 7545, section 5.7) in the weeks before a move."""
    loop = served.loop
    if not loop.moved_to or loop.moved_from is None or now_s < instant_s(loop.moved_from) - _NOTICE_S:
        return {}
    return {"databaseChange": {"databases": _databases(served)}}
