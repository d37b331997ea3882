"""What stands beside a published raster: the legend of a band, and the line of attribution and licence.

A legend is the scheme of the band's family, or names for the codes in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.grid import raster
from pipeline.grid.grid import strips_of_rows
from pipeline.layers import LAYERS
from pipeline.publish.qgis.qml import Legend, categories, legend_of
from pipeline.publish.styles import Scheme
from pipeline.rows.text_records import own_rows
from pipeline.services import table

_NONE, _ALL = "none", "all"
_Schemes = Mapping[str, Scheme]
_Namer = Callable[[int], str]


def legend(build: Path, file: str, band: int, family: str, schemes: _Schemes) -> Legend:
    """The legend of a band, counted from 1, of a raster of ``build``."""
    return legend_of_parts((build,), file, band, family, schemes)


def legend_of_parts(builds: Sequence[Path], file: str, band: int, family: str, schemes: _Schemes) -> Legend:
    """The same of a raster that several folders have: with the values that occur in any of them."""
    build = builds[0]
    if family not in schemes:
        nodata = int(raster.read_layout(build / file).nodata or 0)
        names: dict[int, str] = {}
        for each in builds:
            names |= _names(each, file, band, family, schemes)
        view = LAYERS[family].view
        return categories(view.legend, names, (nodata, view.outside))
    scheme = schemes[family]
    if file.endswith(".vrt"):
        return legend_of(scheme, unit=scheme.unit, whole=True)
    layout = raster.read_layout(build / file)
    if not np.isclose(layout.scale_factor, scheme.scale):
        raise ValueError(f"{file}: scale {layout.scale_factor}, but its classes have {scheme.scale}")
    whole = np.dtype(layout.dtype).kind != "f"
    return legend_of(scheme, unit=layout.units[band - 1], whole=whole)


def _names(build: Path, file: str, band: int, family: str, schemes: _Schemes) -> dict[int, str]:
    """Names of the raw values that occur in a band, without nodata."""
    nodata = raster.read_layout(build / file).nodata
    name = _namer(build, file, band, family, schemes)
    return {value: name(value) for value in _occurring(build / file, band) if value != nodata}


def _occurring(path: Path, band: int) -> list[int]:
    """Values that occur in a band, ascending; nearly all pixels are as the one to their left."""
    found = set[int]()
    with raster.reading(path) as opened:
        for rows in strips_of_rows(0, opened.grid.height):
            (values,) = raster.read_window(opened, rows, slice(0, opened.grid.width), bands=[band - 1])
            changed = values[:, 1:] != values[:, :-1]
            found.update(np.unique(np.concatenate([values[:, 0], values[:, 1:][changed]])).tolist())
    return sorted(found)


def _namer(build: Path, file: str, band: int, family: str, schemes: _Schemes) -> _Namer:
    """Names of a family's values: of its own codes, of services, or of what its files number."""
    row = LAYERS[family].raster
    if row is not None and row.codes:
        codes = dict(row.codes)
        return lambda value: codes.get(value, str(value))
    return service_namer(schemes) if family == "eval_flags" else NAMERS[family](build, file, band)


def service_namer(schemes: _Schemes) -> _Namer:
    """Services of a bit mask, named as where they limit.

    Where most were evaluated, the name tells which were not.
    """
    by_code = {entry.code: entry.label for entry in schemes["limiting_service"].classes}
    rows = [row for row in table.SERVICES if row.flag is not None]
    labels = {row.flag: by_code.get(row.code, row.label) for row in sorted(rows, key=lambda row: row.code)}

    def name(mask: int) -> str:
        bits = set(_bits(mask))
        found = [labels.get(bit, f"bit {bit}") for bit in sorted(bits)]
        missing = [label for code, label in labels.items() if code not in bits]
        if not missing:
            return _ALL
        return _joined(found) if len(found) <= len(missing) else f"{_ALL} but {_joined(missing)}"

    return name


def _server_namer(build: Path, file: str, _band: int) -> _Namer:
    """Best servers, numbered from 1 as in the manifest's table."""
    channel = Path(file).stem[-4:]
    facts = json.loads((build / f"coverage/{channel}_servers.json").read_text(encoding="utf-8"))
    stations = facts["transmitters"]
    return lambda number: f"{stations[number - 1]['site']} ({stations[number - 1]['id']})"


def _pair_namer(_build: Path, _file: str, _band: int) -> _Namer:
    return lambda number: f"pair {number}"


def _channel_namer(_build: Path, _file: str, _band: int) -> _Namer:
    """Channels of a reach, and the codes among them."""
    codes = {0: _NONE, 254: "not evaluated"}
    return lambda number: codes.get(number, f"channel {number}")


def _administration_namer(build: Path, file: str, band: int) -> _Namer:
    """Administrations of a bit mask; each band has bits of its own."""
    rows = own_rows((build / file).with_name("radar612_adm.csv"))
    names = {int(row["bit"]): row["adm"] for row in rows if row["band"] == str(band)}
    return lambda mask: _joined(names.get(bit, f"bit {bit}") for bit in _bits(mask))


NAMERS: Mapping[str, Callable[[Path, str, int], _Namer]] = {
    "dtt_server": _server_namer,
    "reach_channel": _channel_namer,
    "rr941_argpair": _pair_namer,
    "radar612_adm_k": _administration_namer,
}


def _bits(mask: int) -> Iterable[int]:
    return (bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or _NONE


def credit_line(settings: Mapping[str, Any]) -> str:
    """Attribution and licence of a territory file as one text for readers; empty if neither is said."""
    licence = str(settings.get("licence", "")).strip().rstrip(".")
    return " ".join(filter(None, (str(settings["attribution"]).strip(), licence and f"Maps: {licence}.")))
