"""Coverage of an earlier run: tiles that no new, gone or changed station may change are copied.

    build/<territory>/.kept/coverage/ch36.json, ch36.tif, ch36_class.tif, ch36_facts.npz

Everything but the stations has one digest, each station its own. The facts of a tile (``tile_facts``) tell
which stations count there, so where one that is gone did, and how much others may, which a bound of one
that is new is compared with. Values are those of a run that copies nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.coverage.fields import PRUNED_TILE_PX
from pipeline.coverage.inputs import ChannelInputs
from pipeline.coverage.tile_facts import SPARE_MEAN, TileFacts, empty_facts, tiles_in
from pipeline.coverage.tiles import BlockValues
from pipeline.grid.kept_records import digest_of, facts_in, keep_maps, kept_names, record_of
from pipeline.grid.open_rasters import OpenRasters

# Tables of a mast by the array of their starts; all else of ``Paths`` has one value for a mast.
_TABLES = {"heff": ("heff_m", "theta_deg"), "hb": ("hb_m",), "sea": ("sea_pieces",), "tca": ("tca_counts",)}
_NUMBERED = ("network", "mast")


def station_digests(inputs: ChannelInputs, networks: Sequence[str], threads: int = 1) -> list[str]:
    """Digest of all that the fields of each transmitter follow from; ``networks`` their names."""
    stations, paths, losses = inputs.stations._asdict(), inputs.paths._asdict(), inputs.model.losses
    starts = {f"{name}_start" for name in _TABLES}
    tables = {name for names in _TABLES.values() for name in names}

    def of_mast(mast: int) -> str:
        single = [values[mast] for name, values in paths.items() if name not in starts | tables]
        profile = [
            paths[table][slice(*paths[f"{name}_start"][mast : mast + 2])]
            for name, its in _TABLES.items()
            for table in its
        ]
        return digest_of(single, profile)

    masts = list(on_threads(of_mast, ((mast,) for mast in range(inputs.paths.terrain.size)), threads))

    def digest(t: int, network: str) -> str:
        own = [values[t] for name, values in stations.items() if name not in _NUMBERED]
        of_files = []
        if losses.start.size > 0:
            sizes = losses.start[t], losses.size[t], losses.from_km[t], losses.to_km[t], losses.place[t]
            length = int(losses.size[t, 0] * losses.size[t, 1])
            of_files = [
                *sizes,
                *(losses.codes[start : start + length] for start in losses.start[t] if start >= 0),
            ]
        return digest_of(network, own, masts[stations["mast"][t]], of_files, inputs.rules.ratio_db[:, t])

    return list(on_threads(digest, enumerate(networks), threads))


def basis_of_inputs(basis: str, inputs: ChannelInputs, *others: object) -> str:
    """Digest of all that is not of one station; ``basis`` of code and settings, ``others`` of the pixels."""
    rules, model = inputs.rules._replace(ratio_db=np.empty(0)), inputs.model
    of_model = model.code, model.curves, model.prepared, model.f_mhz, model.losses.level
    return digest_of(
        basis, rules, of_model, inputs.receiver, inputs.q_min, inputs.min_density_per_km2, others
    )


class Earlier(NamedTuple):
    """What the last run had, by the stations of the present one.

    ``number`` uint16[old + 1]: number of a server now by that of then, 0 for one gone or changed; ``place``
    int64[new]: place of a station then, -1 for one new or changed; ``counted`` uint8[tile row, tile column,
    bits of the stations then], ``limits`` as of ``TileFacts``.
    """

    maps: Sequence[Path]
    number: NDArray[np.uint16]
    place: NDArray[np.int64]
    counted: NDArray[np.uint8]
    limits: NDArray[np.float64]

    @property
    def added(self) -> NDArray[np.int64]:
        """Stations that are new or changed."""
        return np.flatnonzero(self.place < 0)

    def fill(self, rows: slice, cols: slice, opened: OpenRasters, values: BlockValues) -> NDArray[np.bool_]:
        """Values and facts of a block as they were; bool[tile row, tile column] where they no longer hold.

        That is where a station that is gone counted, or what counts follows from all stations.
        """
        values.levels[:] = opened.window(self.maps[0], rows, cols)
        values.servers[:] = self.number[opened.window(self.maps[1], rows, cols, ["server"])[0]]
        tiles = tuple(slice(s.start // PRUNED_TILE_PX, -(-s.stop // PRUNED_TILE_PX)) for s in (rows, cols))
        counted = np.unpackbits(self.counted[tiles], axis=-1, count=self.number.size - 1).astype(np.bool_)
        same = np.flatnonzero(self.place >= 0)
        values.facts.counted[:, :, same] = counted[:, :, self.place[same]]
        values.facts.limits[:] = self.limits[tiles]
        gone = self.number[1:] == 0
        changed: NDArray[np.bool_] = np.logical_or.reduce(counted[:, :, gone], axis=-1)
        if self.added.size > 0 or gone.any():
            changed |= values.facts.limits[:, :, SPARE_MEAN] < 0.0
        return changed


class KeptCoverage:
    """The maps of the last run of the job, and those that the present one keeps for the next."""

    @classmethod
    def of(
        cls,
        stem: Path,
        basis: str,
        inputs: ChannelInputs,
        transmitters: xr.Dataset,
        threads: int,
        *others: object,
    ) -> KeptCoverage:
        """Those of a channel; ``basis`` of code and settings, ``others`` what else holds for all stations."""
        names, networks = transmitters["id"].values.tolist(), transmitters["sfn"].values.tolist()
        stations = dict(zip(names, station_digests(inputs, networks, threads), strict=True))
        return cls(stem, basis_of_inputs(basis, inputs, *others), stations)

    def __init__(self, stem: Path, basis: str, stations: dict[str, str]) -> None:
        """``stem`` of the job's files; ``basis`` digest of all but ``stations``, theirs by id."""
        self._maps = [stem.with_name(f"{stem.name}{end}.tif") for end in ("", "_class")]
        self._facts_file = record_of(self._maps).with_name(f"{stem.name}_facts.npz")
        self._basis, self._stations = basis, stations
        self._all: TileFacts | None = None
        self.parts = self.copied = 0
        self.earlier = self._earlier()

    def _earlier(self) -> Earlier | None:
        names = kept_names(self._maps)
        found = facts_in(record_of(self._maps), names)
        if found is None or found["basis"] != self._basis:
            return None
        try:
            packed = self._facts_file.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(packed).hexdigest() != found["tiles"]:
            return None
        places = {name: place for place, name in enumerate(self._stations)}
        before: list[list[str]] = found["stations"]
        kept = [places[name] if self._stations.get(name) == digest else -1 for name, digest in before]
        place = np.full(len(places), -1, np.int64)
        for then, now in enumerate(kept):
            if now >= 0:
                place[now] = then
        number = np.array([0, *(now + 1 for now in kept)], np.uint16)
        arrays = np.load(io.BytesIO(packed))
        return Earlier(names, number, place, arrays["counted"], arrays["limits"])

    def add(
        self, rows: slice, cols: slice, shape: tuple[int, int], facts: TileFacts, *, computed: bool
    ) -> None:
        """Facts of a block of a grid with reception, and whether any of its tiles was computed."""
        if self._all is None:
            packed = -(-len(self._stations) // 8)
            self._all = empty_facts(tiles_in(shape, PRUNED_TILE_PX), packed)
            self._all = TileFacts(self._all.counted.view(np.uint8), self._all.limits)
        place = tuple(slice(s.start // PRUNED_TILE_PX, -(-s.stop // PRUNED_TILE_PX)) for s in (rows, cols))
        self._all.counted[place], self._all.limits[place] = np.packbits(facts.counted, axis=-1), facts.limits
        self.parts += 1
        self.copied += not computed

    def keep(self) -> None:
        """Keep the maps that the job has written by now, with what their tiles follow from."""
        if self._all is None:
            return
        stream = io.BytesIO()
        np.savez_compressed(stream, **self._all._asdict())
        tiles = stream.getvalue()
        facts = {
            "basis": self._basis,
            "stations": [list(pair) for pair in self._stations.items()],
            "tiles": hashlib.sha256(tiles).hexdigest(),
        }
        keep_maps(self._maps, facts, self.parts, self.copied, {self._facts_file: tiles})
