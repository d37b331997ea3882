"""Latitudes and longitudes as registers write them, to degrees north and east.

``degrees`` (14.5083, 14,5083E), ``dms`` (46°03'12"N, 460312N, 21E0045 and the like), ``parts`` (cells of
their own) and references of the grid of the Ordnance Survey. Minutes and seconds are below 60.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.registers.conversion.cell_numbers import CellProblem

_MARKS = str.maketrans(
    {"′": "'", "’": "'", "‘": "'", "ʹ": "'", "´": "'", "`": "'", "″": '"', "”": '"', "“": '"', "ʺ": '"',
     "º": "°", "˚": "°", "\u2212": "-"}
)  # fmt: skip
_SIGNS = {"N": 1.0, "E": 1.0, "S": -1.0, "W": -1.0}
_DEGREES = re.compile(r"(\d{1,3})(?:[.,](\d+))?\s*°?")
# How nearly all angles are written: read at once.
_PLAIN_DMS = re.compile(r"(\d{1,3})°(\d{1,2})['′](\d{1,2}(?:[.,]\d+)?)[\"″]([NSEW])", re.ASCII)
_SEPARATED = re.compile(
    r"(?P<deg>\d{1,3})\s*[°: ]\s*(?P<min>\d{1,2}(?:[.,]\d+)?)"
    r"(?:\s*[': ]\s*(?P<sec>\d{1,2}(?:[.,]\d+)?)\s*\"?|\s*')"
)
_INNER = re.compile(r"(\d{1,3})\s*([^\W\d_])\s*(\d{1,2}(?=['°: ])|\d{2})['°: ]?\s*(\d{2}(?:[.,]\d+)?)\s*\"?")
_PACKED = re.compile(r"(\d+)(?:[.,](\d+))?")
_FORMS = {
    "lat": "degrees, minutes, seconds, such as 46°03'12\"N or 460312N",
    "lon": "degrees, minutes, seconds, such as 14°30'45\"E or 0143045E",
}
# Where one of two angles in a cell may end: a blank, a comma, between a letter and a digit, before a letter.
_CUT = re.compile(r"(?<=\S)[ ,](?=\S)|(?<=[^\W\d_])(?=\d)|(?<=[\d'\"°])(?=[^\W\d_])")
_ONE_NUMBER = re.compile(r"[+-]?\d{1,3},\d+")
_GRID_REFERENCE = re.compile(r"([A-HJ-Z])([A-HJ-Z])(\d{2,10})")
_GRID_FORM = "two letters and an even number of digits, such as TQ 339 712"
_SQUARE_M, _EASTERN_SQUARES, _NORTHERN_SQUARES = 100_000.0, 7, 13


class Axis(NamedTuple):
    """``name`` lat or lon; letters of the file by hemisphere; whether bare longitudes count westwards.

    ``full_minutes``: the file rounds seconds up to 60.
    """

    name: str
    hemispheres: Mapping[str, str] = {}
    west_positive: bool = False
    full_minutes: bool = False


def degrees(text: str, axis: Axis) -> float:
    """Decimal degrees, with a sign or a letter before or behind them."""
    sign, letter, body = _stripped(text, axis)
    found = _DEGREES.fullmatch(body)
    if found is None:
        example = "46.0533, -46.05 or 46.0533N" if axis.name == "lat" else "14.5083, -14.5 or 14.5083E"
        raise CellProblem("bad_value", "not decimal degrees", f"degrees such as {example}")
    return _signed(float(f"{found[1]}.{found[2] or 0}"), sign, letter, axis)


def dms(text: str, axis: Axis) -> float:
    """Degrees, minutes and seconds in any of the usual notations; decimal degrees are refused."""
    if plain := _PLAIN_DMS.fullmatch(text):
        whole, minutes, seconds, letter = plain.groups()
        return _signed(_sum(axis, whole, minutes, seconds), "", _hemisphere(letter, axis), axis)
    sign, letter, body = _stripped(text, axis)
    if inner := _INNER.fullmatch(body):
        if letter or sign:
            raise _unreadable(axis)
        letter = _hemisphere(inner[2], axis)
        return _signed(_sum(axis, inner[1], inner[3], inner[4]), "", letter, axis)
    if found := _SEPARATED.fullmatch(body):
        minutes, seconds = found["min"], found["sec"] or "0"
        if found["sec"] and ("." in minutes or "," in minutes):
            raise _unreadable(axis)
        return _signed(_sum(axis, found["deg"], minutes, seconds), sign, letter, axis)
    return _signed(packed(body, axis), sign, letter, axis)


def packed(text: str, axis: Axis) -> float:
    """``ddmmss`` or ``dddmmss`` with decimals of the seconds, without sign."""
    found = _PACKED.fullmatch(text)
    wanted = (5, 6) if axis.name == "lat" else (6, 7)
    if found is None or len(found[1]) not in wanted:
        raise _unreadable(axis)
    whole = found[1]
    return _sum(axis, whole[:-4], whole[-4:-2], f"{whole[-2:]}.{found[2] or 0}")


def parts(cells: Sequence[str], axis: Axis) -> float:
    """Two to four cells: degrees, minutes, seconds, and a letter as the last if there is one."""
    given = [cell.strip() for cell in cells]
    letter = given.pop() if given and given[-1].isalpha() else ""
    if not given or not given[0] or not all(given) or len(given) > 3 or len(cells) < 2:
        raise CellProblem("bad_value", "not degrees, minutes and seconds", "2 to 4 cells, none of them empty")
    sign = given[0][0] if given[0][0] in "+-\u2212" else ""
    given[0] = given[0].removeprefix(sign)
    if not all(re.fullmatch(r"\d+(?:[.,]\d*)?", part) for part in given):
        raise CellProblem("bad_value", "not degrees, minutes and seconds", "numbers, a letter as the last")
    named = _hemisphere(letter, axis) if letter else ""
    value = _sum(axis, *[*given, "0", "0"][:3])
    return _signed(value, sign.replace("\u2212", "-"), named, axis)


def both(text: str, notation: str, lat: Axis, lon: Axis) -> tuple[float, float]:
    """Latitude and longitude that stand in one cell, latitude first; CellProblem if not in one way alone."""
    read = dms if notation == "dms" else degrees
    plain = " ".join(text.split())
    found: dict[tuple[float, float], None] = {}
    first_problem: CellProblem | None = None
    for first, second in _cuts(plain):
        try:
            found[read(first, lat), read(second, lon)] = None
        except CellProblem as problem:
            named = problem.reason != "bad_value"
            first_problem = problem if first_problem is None or named else first_problem
    if len(found) == 1:
        return next(iter(found))
    if found or first_problem is None:
        raise CellProblem("bad_value", "not one latitude and one longitude", "latitude; longitude")
    raise first_problem


def _cuts(text: str) -> list[tuple[str, str]]:
    """A cell cut in two where a longitude may begin: those of the clearest kind of sign that it holds."""
    for sign in (";", "/", ", "):
        if text.count(sign) == 1:
            first, _, second = text.partition(sign)
            return [(first.strip(), second.strip())]
    if _ONE_NUMBER.fullmatch(text):  # of a decimal comma: which half is lost is not known
        return []
    places = [found.start() for found in _CUT.finditer(text)]
    return [(text[:at].rstrip(" ,"), text[at:].lstrip(" ,")) for at in places]


def grid_reference(text: str) -> tuple[float, float]:
    """Easting and northing in m (EPSG:27700) of the centre of the square that an OS grid reference names."""
    found = _GRID_REFERENCE.fullmatch("".join(text.split()).upper())
    if found is None or len(found[3]) % 2:
        raise CellProblem("bad_value", "not a grid reference", _GRID_FORM)
    first, second = (ord(letter) - ord("A") - (letter > "I") for letter in found.groups()[:2])
    east, north = (first - 2) % 5 * 5 + second % 5, 19 - first // 5 * 5 - second // 5
    if not (0 <= east < _EASTERN_SQUARES and 0 <= north < _NORTHERN_SQUARES):
        raise CellProblem("bad_value", "no square of the grid of Great Britain", _GRID_FORM)
    half = len(found[3]) // 2
    size_m = _SQUARE_M / 10.0**half
    east_m, north_m = (int(digits) * size_m for digits in (found[3][:half], found[3][half:]))
    return east * _SQUARE_M + east_m + 0.5 * size_m, north * _SQUARE_M + north_m + 0.5 * size_m


def _stripped(text: str, axis: Axis) -> tuple[str, str, str]:
    """Sign, hemisphere (N, E, S, W or none) and the rest of a cell."""
    plain = " ".join(text.split()).translate(_MARKS).replace("''", '"')
    letter = ""
    if lettered := re.fullmatch(r"(.*[\d.,'\"°])\s*([^\W\d_]+)", plain):
        plain, letter = lettered[1], lettered[2]
    elif lettered := re.fullmatch(r"([^\W\d_]+)\s*([-+\d].*)", plain):
        plain, letter = lettered[2], lettered[1]
    sign = plain[0] if plain[:1] in ("+", "-") else ""
    return sign, _hemisphere(letter, axis) if letter else "", plain.removeprefix(sign).strip()


def _hemisphere(letter: str, axis: Axis) -> str:
    """The letter of a file as N, S, E or W; O is East in some languages and West in others."""
    named = letter.upper()
    for name, direction in axis.hemispheres.items():
        if name.upper() == letter.upper():
            named = direction
    if named == "O":
        allowed = "hemispheres: {O: E} or {O: W} in the mapping"
        raise CellProblem("ambiguous_hemisphere", "O is East in some languages and West in others", allowed)
    if named not in ("NS" if axis.name == "lat" else "EW"):
        allowed = "N or S" if axis.name == "lat" else "E or W"
        raise CellProblem("bad_value", "not a hemisphere of this axis", allowed)
    return named


def _signed(value: float, sign: str, letter: str, axis: Axis) -> float:
    if letter:
        if sign == "-":
            raise CellProblem("bad_value", "has a sign and a letter", "one of them")
        return value * _SIGNS[letter]
    turned = -1.0 if axis.west_positive and axis.name == "lon" else 1.0
    return value * turned * (-1.0 if sign == "-" else 1.0)


def _sum(axis: Axis, whole: str, minutes: str, seconds: str) -> float:
    degree, minute, second = (float(part.replace(",", ".")) for part in (whole, minutes, seconds))
    if minute >= 60.0 or second > 60.0 or (second == 60.0 and not axis.full_minutes):
        name = "minutes" if minute >= 60.0 else "seconds"
        raise CellProblem("bad_value", f"{name} of 60 or more", _FORMS[axis.name])
    return degree + minute / 60.0 + second / 3600.0


def _unreadable(axis: Axis) -> CellProblem:
    return CellProblem("bad_value", "not degrees, minutes and seconds", _FORMS[axis.name])
