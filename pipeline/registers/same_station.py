"""Records that are one network or one station: spellings of a network's name, a station entered twice.

Stations of one network do not interfere with each other; two records of one channel at one site that are not
of one network would each take all reception from the other, and nothing would be left to protect.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import xarray as xr

from pipeline.errors import InputError
from pipeline.grid.geodesy import site_frames

# Two records within this are of one mast: coordinates are filed in whole seconds of arc, 31 m.
SAME_SITE_M = 100.0
# Attributes of the dataset: names of networks that were taken for another spelling, as text; file and row by
# id.
SPELLINGS, PLACES = "sfn_spellings", "places"


def _folded(name: str) -> str:
    """A name by its letters and digits alone: without capitals, blanks, dashes and what cannot be seen.

    Taking two names for one network too many protects: its stations do not interfere with each other.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum()) or plain


def with_one_spelling(transmitters: xr.Dataset, known: Collection[str] = ()) -> xr.Dataset:
    """The dataset with one name for networks of a channel whose names differ only in case, blanks or signs.

    The spelling is that of ``known`` (names in the settings), else that of the first record. What was changed
    stands in the attribute ``SPELLINGS``.
    """
    names = [str(name) for name in transmitters["sfn"].values]
    chosen: dict[tuple[int, str], str] = {}
    stated = {_folded(name): name for name in known}
    changed: dict[str, None] = {}
    for index, channel in enumerate(transmitters["channel"].values.tolist()):
        name, folded = names[index], _folded(names[index])
        if name:
            names[index] = chosen.setdefault((channel, folded), stated.get(folded, name))
        if names[index] != name:
            changed[f"channel {channel}: {name!r} is taken for {names[index]!r}"] = None
    if not changed:
        return transmitters
    spelt = transmitters.assign(sfn=("transmitter", np.array(names, dtype=np.str_)))
    return spelt.assign_attrs({SPELLINGS: list(changed)})


def twins(transmitters: xr.Dataset, *, also_of_one_network: bool = False) -> Iterator[tuple[int, int]]:
    """Rows (first, second) of one channel within ``SAME_SITE_M``; by default those not of one network."""
    positions_m = site_frames(transmitters["lon_deg"].values, transmitters["lat_deg"].values)[:, :3]
    channels, networks = transmitters["channel"].values, transmitters["sfn"].values
    for channel in np.unique(channels):
        rows = np.flatnonzero(channels == channel)
        for index, first in enumerate(rows.tolist()):
            later = rows[index + 1 :]
            apart_m = np.sqrt(np.sum((positions_m[later] - positions_m[first]) ** 2, axis=1))
            alone = (networks[later] != networks[first]) | (networks[first] == "")
            found = (apart_m <= SAME_SITE_M) & (alone | also_of_one_network)
            yield from ((first, second) for second in later[found].tolist())


def twin_faults(
    transmitters: xr.Dataset, pairs: Iterable[tuple[int, int]], accept: Collection[str]
) -> list[InputError]:
    """The faults of the second record of each pair of which ``accept`` names none, by row."""
    ids = [str(name) for name in transmitters["id"].values]
    faults: dict[str, InputError] = {}
    for first, second in pairs:
        if not {ids[first], ids[second]} & set(accept):
            channel = int(transmitters["channel"].values[second])
            file, row = transmitters.attrs[PLACES][ids[second]]
            faults.setdefault(
                ids[second],
                InputError(
                    f"same channel and site as {ids[first]}, and no common sfn",
                    file=file,
                    row=row,
                    field="id",
                    value=ids[second],
                    allowed=f"one record of channel {channel} within {SAME_SITE_M:g} m, a common sfn,"
                    " or the id in registers.accept",
                ),
            )
    return list(faults.values())


def with_common_networks(transmitters: xr.Dataset, pairs: Iterable[tuple[int, int]]) -> xr.Dataset:
    """The dataset with one network for each pair, so that no station is its own interferer."""
    ids = transmitters["id"].values
    names = [str(name) for name in transmitters["sfn"].values]
    before = list(names)
    for first, second in pairs:
        names[first] = names[second] = names[first] or names[second] or f"site of {ids[first]}"
    if names == before:
        return transmitters
    return transmitters.assign(sfn=("transmitter", np.array(names, dtype=np.str_)))
