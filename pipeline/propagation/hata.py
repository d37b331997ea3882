"""Okumura-Hata: median basic transmission loss (Hata 1980)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inner, kernel
from pipeline.propagation.models import Surroundings, model_named
from pipeline.units import FIELD_TO_LOSS_DB


class Environment(IntEnum):
    """Surroundings in the sense of Hata."""

    OPEN = 0
    SUBURBAN = 1
    URBAN = 2
    LARGE_CITY = 3


Loss = Callable[[float, float, float, float, int], tuple[float, int, bool]]
"""Loss in dB, regime and validity from f_mhz, d_km, height of the base, of the mobile, environment."""
_ENVIRONMENT_OF = {
    Surroundings.RURAL: Environment.OPEN,
    Surroundings.SEA: Environment.OPEN,
    Surroundings.SUBURBAN: Environment.SUBURBAN,
    Surroundings.URBAN: Environment.URBAN,
    Surroundings.DENSE_URBAN: Environment.URBAN,
}
_OPEN = int(Environment.OPEN)
_SUBURBAN = int(Environment.SUBURBAN)
_LARGE_CITY = int(Environment.LARGE_CITY)
_HATA = model_named("hata").regimes.index("hata")

# Texts switch the large-city formula anywhere between 200 and 400 MHz; the middle is taken.
_LARGE_CITY_SWITCH_MHZ = 300.0


@inner
def mobile_height_db(hm_m: float, f_mhz: float) -> float:
    """a(hm) of a small or medium city in dB (Hata 1980, eq. 11)."""
    log_f = math.log10(f_mhz)
    return (1.1 * log_f - 0.7) * hm_m - (1.56 * log_f - 0.8)


@inner
def mobile_height_large_city_db(hm_m: float, f_mhz: float) -> float:
    """a(hm) of a large city in dB (Hata 1980, eq. 12)."""
    if f_mhz < _LARGE_CITY_SWITCH_MHZ:
        return 8.29 * math.log10(1.54 * hm_m) ** 2 - 1.1
    return 3.2 * math.log10(11.75 * hm_m) ** 2 - 4.97


@inner
def environment_db(environment: int, f_mhz: float) -> float:
    """What suburban and open surroundings take from the urban loss in dB (Hata 1980, eq. 21-22)."""
    if environment == _SUBURBAN:
        return -2.0 * math.log10(f_mhz / 28.0) ** 2 - 5.4
    if environment == _OPEN:
        log_f = math.log10(f_mhz)
        return -4.78 * log_f**2 + 18.33 * log_f - 40.94
    return 0.0


@kernel
def add_environments(
    f_mhz: float, environment: NDArray[np.uint8], pixels: NDArray[np.int64], field_dbuvm: NDArray[np.floating]
) -> None:
    """Make fields in open surroundings, at the pixels listed, those in open, suburban or urban ones.

    Their losses differ by a constant of the frequency, whatever path and heights; none is below the open one.
    """
    open_db = environment_db(_OPEN, f_mhz)
    steps_db = (
        open_db - environment_db(0, f_mhz),
        open_db - environment_db(1, f_mhz),
        open_db - environment_db(2, f_mhz),
    )
    for p in pixels:
        field_dbuvm[p] += steps_db[environment[p]]


@kernel
def hata_loss_db(
    f_mhz: float, d_km: float, hb_m: float, hm_m: float, environment: int
) -> tuple[float, int, bool]:
    """Okumura-Hata median loss in dB, index of the regime, validity.

    ``hb_m``, ``hm_m`` heights above ground of base and mobile antenna; ``environment`` a code of
    ``Environment``. Valid for 150-1500 MHz, 1-20 km, hb 30-200 m, hm 1-10 m (Hata 1980).
    """
    log_hb = math.log10(hb_m)
    log_f = math.log10(f_mhz)
    large = environment == _LARGE_CITY
    a = mobile_height_large_city_db(hm_m, f_mhz) if large else mobile_height_db(hm_m, f_mhz)
    loss = 69.55 + 26.16 * log_f - 13.82 * log_hb - a + (44.9 - 6.55 * log_hb) * math.log10(d_km)
    loss += environment_db(environment, f_mhz)
    valid = 150.0 <= f_mhz <= 1500.0 and 1.0 <= d_km <= 20.0
    valid = valid and 30.0 <= hb_m <= 200.0 and 1.0 <= hm_m <= 10.0
    return loss, _HATA, valid


def predict_links(
    links: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field, regime and validity of links by Okumura-Hata."""
    return predict_by_loss(links, hata_loss_db)


def predict_by_loss(
    links: Mapping[str, NDArray[np.float64]], loss: Loss
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field of 1 kW e.r.p., regime and validity of links by a loss of the Hata family, never valid at sea."""
    f_mhz, d_km, ha_m, h2_m, area = (links[name] for name in ("f_mhz", "d_km", "ha_m", "h2_m", "area"))
    field_dbuvm = np.full(d_km.size, np.nan)
    regime, valid = np.zeros(d_km.size, dtype=np.int64), np.zeros(d_km.size, dtype=np.bool_)
    for row in np.flatnonzero((f_mhz > 0.0) & (d_km > 0.0) & (ha_m > 0.0) & (h2_m > 0.0)):
        environment = int(_ENVIRONMENT_OF[Surroundings(int(area[row]))])
        loss_db, regime[row], holds = loss(f_mhz[row], d_km[row], ha_m[row], h2_m[row], environment)
        field_dbuvm[row] = FIELD_TO_LOSS_DB - loss_db + 20.0 * math.log10(f_mhz[row])
        valid[row] = holds and area[row] != Surroundings.SEA
    return field_dbuvm, regime, valid
