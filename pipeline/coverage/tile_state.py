"""What the tiles of a DTT channel share: stations, model, receiver, rules; the working arrays of a tile."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.fields import FieldModel, TvReceiver, tile_fields
from pipeline.coverage.packed import Paths, Stations
from pipeline.kernels import kernel

PRUNED_TILE_PX = 32
_TILE_PIXELS = PRUNED_TILE_PX * PRUNED_TILE_PX
# Added to every bound of a field: covers rounding and the centimetres of interpolated positions.
BOUND_MARGIN_DB = 0.01


class PixelKind(IntEnum):
    """Kinds of pixel a block is made of."""

    NO_RECEPTION = 0
    HOME = 1
    FOREIGN = 2


_NO_RECEPTION, _HOME = int(PixelKind.NO_RECEPTION), int(PixelKind.HOME)


class ReceptionRules(NamedTuple):
    """Planning values: ``ratio_db`` [mode, transmitter], ``noise_dbuvm`` [mode], spreads in dB.

    ``spillover``: any transmitter may serve anywhere. ``bound_margin_db`` is added to all bounds by which
    work is left out; infinite, everything is computed.
    """

    ratio_db: NDArray[np.float64]
    noise_dbuvm: NDArray[np.float64]
    wanted_sigma_db: float
    interferer_sigma_db: float
    spillover: bool
    bound_margin_db: float = BOUND_MARGIN_DB


class ChannelInputs(NamedTuple):
    """Everything the blocks of one channel share."""

    stations: Stations
    paths: Paths
    model: FieldModel
    receiver: TvReceiver
    rules: ReceptionRules
    q_min: float
    min_density_per_km2: float


class Scratch(NamedTuple):
    """Working arrays of one thread; [transmitter], [pixel of the tile] or [transmitter, pixel].

    ``running``, ``squares``, ``terms``, ``noise`` are linear powers; ``direction`` [2, pixel] in m.
    """

    near_km: NDArray[np.float64]
    wanted_bound_dbuvm: NDArray[np.float64]
    nuisance_bound_dbuvm: NDArray[np.float64]
    computed: NDArray[np.bool_]
    pixels: NDArray[np.int64]
    d_km: NDArray[np.float64]
    az_deg: NDArray[np.float64]
    field_dbuvm: NDArray[np.float64]
    discrimination_db: NDArray[np.float64]
    member: NDArray[np.bool_]
    best_dbuvm: NDArray[np.float64]
    server: NDArray[np.int64]
    server_km: NDArray[np.float64]
    direction: NDArray[np.float64]
    polarisation: NDArray[np.int64]
    mode: NDArray[np.int64]
    noise: NDArray[np.float64]
    wanted_dbuvm: NDArray[np.float64]
    running: NDArray[np.float64]
    squares: NDArray[np.float64]
    terms: NDArray[np.float64]


@kernel
def scratch_of(transmitters: int) -> Scratch:
    """Working arrays for a number of transmitters; what is never computed stays zero."""
    n, p = transmitters, _TILE_PIXELS
    return Scratch(
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n, np.bool_),
        np.zeros(p, np.int64),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p, np.bool_),
        np.zeros(p),
        np.zeros(p, np.int64),
        np.zeros(p),
        np.zeros((2, p)),
        np.zeros(p, np.int64),
        np.zeros(p, np.int64),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.empty((n, p)),
    )


@kernel
def may_serve(kind: int, home: bool, spillover: bool) -> bool:
    """Own transmitters serve in the territory, foreign ones outside; with ``spillover`` all everywhere."""
    return kind != _NO_RECEPTION and (spillover or home == (kind == _HOME))


@kernel
def fields_in_tile(
    inputs: ChannelInputs, t: int, time: int, pixels: NDArray[np.int64], work: Scratch
) -> None:
    """Fill the field of transmitter t at the pixels listed, whose distances and azimuths are known."""
    tile_fields(
        inputs.stations,
        inputs.paths,
        inputs.model,
        inputs.receiver,
        t,
        time,
        pixels,
        work.d_km,
        work.az_deg,
        work.field_dbuvm,
    )
