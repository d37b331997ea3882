"""The legend of every published raster: the scheme of its family, or names for the codes that it holds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from pipeline import raster
from pipeline.protection.services.codes import CODE_NAMES
from pipeline.publish.qml import Legend, categories, legend_of
from pipeline.publish.styles import Scheme

NONE = "none"


def legend(build: Path, file: str, family: str, schemes: Mapping[str, Scheme]) -> Legend:
    """The legend of band 1 of a raster of ``build``; all its bands share it if the family has a scheme."""
    if family not in schemes:
        return categories(_names(build, file, family))
    if file.endswith(".vrt"):
        return legend_of(schemes[family], unit=schemes[family].unit, whole=True)
    layout = raster.read_layout(build / file)
    scheme = schemes[family]
    if not np.isclose(layout.scale_factor, scheme.scale):
        raise ValueError(f"{file}: scale {layout.scale_factor}, but its classes have {scheme.scale}")
    whole = np.dtype(layout.dtype).kind != "f"
    return legend_of(scheme, unit=layout.units[0], whole=whole)


def _names(build: Path, file: str, family: str) -> dict[int, str]:
    """Names of the raw values that occur in band 1, without nodata."""
    layout = raster.read_layout(build / file)
    found = np.unique(raster.read(build / file, bands=layout.band_names[:1]).values)
    name = NAMERS.get(family, _plain_namer)(build, file)
    return {int(value): name(int(value)) for value in found if value != layout.nodata}


Namer = Callable[[int], str]


def _plain_namer(_build: Path, _file: str) -> Namer:
    return str


def _service_namer(_build: Path, _file: str) -> Namer:
    """Services of a bit mask; the bit of a service is its code."""
    return lambda mask: _joined(CODE_NAMES[bit].replace("_", " ") for bit in _bits(mask))


def _server_namer(build: Path, file: str) -> Namer:
    """Best servers, numbered from 1 as in the manifest's table."""
    channel = Path(file).stem[-4:]
    facts = json.loads((build / f"coverage/{channel}_servers.json").read_text(encoding="utf-8"))
    stations = facts["transmitters"]
    return lambda number: f"{stations[number - 1]['site']} ({stations[number - 1]['id']})"


def _pair_namer(_build: Path, _file: str) -> Namer:
    return lambda number: f"pair {number}"


def _administration_namer(build: Path, file: str) -> Namer:
    """Administrations of a bit mask, for the first band."""
    with (build / file).with_name("radar612_adm.csv").open(newline="", encoding="utf-8") as stream:
        names = {int(row["bit"]): row["adm"] for row in csv.DictReader(stream) if row["band"] == "1"}
    return lambda mask: _joined(names.get(bit, f"bit {bit}") for bit in _bits(mask))


NAMERS: Mapping[str, Callable[[Path, str], Namer]] = {
    "eval_flags": _service_namer,
    "dtt_server": _server_namer,
    "rr941_argpair": _pair_namer,
    "radar612_adm_k": _administration_namer,
}


def _bits(mask: int) -> Iterable[int]:
    return (bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or NONE
