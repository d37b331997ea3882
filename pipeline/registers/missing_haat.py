"""Stations whose height above average terrain is not known, in registers that write 0 in its place (FCC)."""

from __future__ import annotations

import numpy as np
import xarray as xr


def with_missing_haat(transmitters: xr.Dataset, least_m: float) -> xr.Dataset:
    """The dataset with every absent or zero ``haat_m`` raised to ``least_m`` and to the height above ground.

    Records of the FCC hold 0 where it never was computed, among them most of Canada and Mexico; taken
    literally, hardly any of their coverage would be protected. ``mast`` keys follow.
    """
    haat_m, agl_m = (transmitters[name].values for name in ("haat_m", "antenna_height_agl_m"))
    missing = np.isnan(haat_m) | (haat_m == 0.0)
    filled_m = np.where(missing, np.fmax(agl_m, least_m), haat_m)
    masts = [
        f"{key}_{height_m:g}" if changed else key
        for key, height_m, changed in zip(transmitters["mast"].values, filled_m, missing, strict=True)
    ]
    return transmitters.assign(
        haat_m=("transmitter", filled_m, transmitters["haat_m"].attrs),
        mast=("transmitter", np.array(masts, dtype=np.str_)),
    )
