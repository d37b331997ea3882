"""Nuisance of the pixels of a tile: mean powers of the interferers that matter, and their sum.

The nuisance is summed from the strongest bound down until all bounds that follow are together negligible
(``nuisance.negligible``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import bound_means
from pipeline.coverage.fields import INTERFERING
from pipeline.coverage.nuisance import lognormal_mean, negligible
from pipeline.coverage.servers import antenna_db, mark_members
from pipeline.coverage.tile_state import ChannelInputs, Scratch, fields_in_tile
from pipeline.grid.geodesy import rays
from pipeline.kernels import kernel


@kernel
def choose_disturbed(
    t: int,
    server: NDArray[np.int64],
    running: NDArray[np.float64],
    member: NDArray[np.bool_],
    members: bool,
    left_mean: float,
    pixels: NDArray[np.int64],
) -> int:
    """List the pixels to which t and what follows it may matter; their number, -1 if there is none at all.

    Not listed though it may matter: where t is wanted.
    """
    chosen, needed = 0, False
    for p in range(server.size):
        if server[p] >= 0 and not negligible(left_mean, running[p]):
            needed = True
            if t != server[p] and not (members and member[p]):
                pixels[chosen] = p
                chosen += 1
    return chosen if needed else -1


@kernel
def add_terms(
    ratio_db: NDArray[np.float64],
    sigma_db: float,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float64],
    discrimination_db: NDArray[np.float64],
    mode: NDArray[np.int64],
    terms: NDArray[np.float64],
    running: NDArray[np.float64],
) -> None:
    """Mean nuisance powers of one transmitter at the pixels listed, also added to the running sums."""
    for p in pixels:
        terms[p] = lognormal_mean(field_dbuvm[p] + ratio_db[mode[p]] - discrimination_db[p], sigma_db)
        running[p] += terms[p]


@kernel
def sum_nuisance(
    inputs: ChannelInputs,
    positions_m: NDArray[np.float64],
    frames: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    middle: int,
    radius_km: float,
    work: Scratch,
) -> None:
    """Fill mean nuisance powers ``terms`` of the transmitters that matter; ``computed`` says which rows.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``.
    """
    stations, rules, server = inputs.stations, inputs.rules, work.server[: kinds.size]
    means = bound_means(inputs, frames, middle, radius_km, server, work.nuisance_bound_dbuvm)
    order = np.argsort(-means, kind="mergesort")
    left_mean = means[order]
    for k in range(order.size - 2, -1, -1):
        left_mean[k] += left_mean[k + 1]
    work.computed[:] = False
    work.running[:] = work.noise
    ratios_db = np.ascontiguousarray(rules.ratio_db.T)
    for k, t in enumerate(order):
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        members = mark_members(inputs, kinds, work, t)
        chosen = choose_disturbed(t, server, work.running, work.member, members, left_mean[k], work.pixels)
        if chosen < 0:
            break
        if chosen == 0:
            continue
        listed = work.pixels[:chosen]
        fields_in_tile(inputs, t, INTERFERING, listed, work)
        antenna_db(inputs, t, frames, listed, work)
        work.computed[t] = True
        work.terms[t, :] = 0.0
        add_terms(
            ratios_db[t],
            rules.interferer_sigma_db,
            listed,
            work.field_dbuvm,
            work.discrimination_db,
            work.mode,
            work.terms[t],
            work.running,
        )


@kernel
def total_nuisance(work: Scratch, count: int) -> None:
    """Fill mean and sum of squared means of the power per pixel: noise, then interferers in order of id."""
    running, squares = work.running, work.squares
    running[:] = work.noise
    squares[:] = 0.0
    for t in range(work.computed.size):
        if work.computed[t]:
            terms = work.terms[t]
            for p in range(count):
                running[p] += terms[p]
                squares[p] += terms[p] * terms[p]
