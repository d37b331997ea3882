"""What planned links do to each other, and channels that spare them that (docs/method.md, section 43).

At each receiving end the power sum of the transmitters of all other links on its channel, and on the next two
less the receiver's selectivity, with both antennas' patterns and losses at 1 % of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.config.channels import Channels
from pipeline.links.link_rows import LinkEnd, attenuation_db, cross_polar_db, pointed
from pipeline.links.link_service import (
    Margins,
    OneWay,
    Reason,
    TwoWay,
    best_channel,
    by_modes,
    part_of,
    together,
)
from pipeline.links.link_terrain import LinkEnds, LinkGround, link_ends, look_along
from pipeline.links.permitted import ADJACENT_DB
from pipeline.radio.channel_plan import channel_block, index_of
from pipeline.rates.link_budget import GenericPath, generic_loss_db
from pipeline.rates.link_modes import ModeLevels, rate_levels

# Share of the time in which interference may be stronger.
INTERFERENCE_TIME_PCT = 1.0
# Transmitters beyond are not counted: at 1 % of the time 36 dBm arrive far below noise.
_FARTHEST_KM = 100.0
# Links that meet at a place share its channels in time, or are filtered there: they do not count.
_MEET_KM = 0.1
# More are not given channels together: all pairs of their ends would have to be computed.
MOST_ASSIGNED = 500
_PASSES = 2
_EARTH_KM = 6371.0


class PlannedLink(NamedTuple):
    """A link that is to be built: where, what its radios are, and what each candidate channel gives alone.

    ``ends`` one row; ``modes`` at B and at A, of each candidate; ``back`` None: one direction only. Ways
    have one value for each candidate.
    """

    ends: LinkEnds
    radios: tuple[LinkEnd, LinkEnd]
    candidates: tuple[DeviceChannel, ...]
    f_mhz: tuple[float, ...]
    modes: tuple[Sequence[ModeLevels], Sequence[ModeLevels]]
    there: OneWay
    back: OneWay | None
    margins: Margins
    share: float


class MutualPaths(NamedTuple):
    """How transmitters reach receivers of other links [p]: their ends (2 x link + 0 for A, 1 for B).

    ``gain_db``: what e.i.r.p. on the axis becomes at the receiver's input, less than 0 by far.
    """

    receiver: NDArray[np.int64]
    sender: NDArray[np.int64]
    gain_db: NDArray[np.float64]


class _Sieve(NamedTuple):
    """Channels of all links by number: candidates of each link, and what receivers take off senders."""

    candidates: list[NDArray[np.int64]]
    selectivity_db: NDArray[np.float64]


class Disturbed(NamedTuple):
    """What a link has with all others: its candidate, interference at B and at A, both ways, together."""

    chosen: int
    at_b_dbm: float
    at_a_dbm: float
    there: OneWay
    back: OneWay | None
    both: TwoWay

    @property
    def rate_mbps(self) -> float:
        """Rate of both directions beside all others."""
        return float(self.both.rate_mbps[0])

    def harms(self, alone_mbps: float) -> bool:
        """Whether it is less than the link would have alone."""
        return self.rate_mbps < alone_mbps or int(self.both.reason[0]) == int(Reason.MUTUAL_INTERFERENCE)


def disturbed_links(
    links: Sequence[PlannedLink],
    chosen: Sequence[int],
    plan: Channels,
    ground: LinkGround | None,
    model: str,
    *,
    assign: bool = False,
    threads: int = 1,
) -> list[Disturbed]:
    """All links together on their candidates; with ``assign`` these are chosen anew, one link after another.

    A link takes the channel of highest two-way rate beside the others, then of larger margin, then the
    first; a second pass knows all others. The same for any number of threads.
    """
    indexes = list(chosen)
    sieve = _sieve_of(links, plan)
    if assign:
        _assign(links, indexes, sieve, _paths_between(links, ground, model, None, threads))
    use = np.array([own[c] for own, c in zip(sieve.candidates, indexes, strict=True)], np.int64)
    paths = _paths_between(links, ground, model, (indexes, use, sieve), threads)
    lost_db = sieve.selectivity_db[use[paths.sender // 2], use[paths.receiver // 2]]
    sent_dbm = _sent_dbm(links, indexes)[paths.sender]
    received = _power_sums_dbm(paths.receiver, sent_dbm + paths.gain_db - lost_db, 2 * len(links))
    return [_disturbed(link, indexes[i], received[2 * i : 2 * i + 2]) for i, link in enumerate(links)]


def _sieve_of(links: Sequence[PlannedLink], plan: Channels) -> _Sieve:
    names = list(dict.fromkeys(name for link in links for name in link.candidates))
    place = {name: k for k, name in enumerate(names)}
    selectivity_db = np.array([[_selectivity_db(plan, sender, own) for own in names] for sender in names])
    candidates = [np.array([place[name] for name in link.candidates], np.int64) for link in links]
    return _Sieve(candidates, selectivity_db)


def _selectivity_db(plan: Channels, sender: DeviceChannel, receiver: DeviceChannel) -> float:
    """What a receiver takes off a transmitter's power, infinite beyond the second adjacent channel."""
    offset = index_of(channel_block(plan, sender), channel_block(plan, receiver))
    return ADJACENT_DB.get(abs(offset), math.inf)


def _assign(links: Sequence[PlannedLink], indexes: list[int], sieve: _Sieve, paths: MutualPaths) -> None:
    """Replace the candidates of links, first beside those before each, then beside all."""
    order = np.argsort(paths.receiver // 2, kind="stable")
    firsts = np.searchsorted(paths.receiver[order] // 2, np.arange(len(links) + 1))
    sent_dbm = _sent_dbm(links, indexes)
    for turn in range(_PASSES):
        for i, link in enumerate(links):
            own = order[firsts[i] : firsts[i + 1]]
            own = own[paths.sender[own] // 2 < i] if turn == 0 else own
            sender = paths.sender[own]
            use = np.array([sieve.candidates[k][indexes[k]] for k in (sender // 2).tolist()], np.int64)
            level_dbm = sent_dbm[sender] + paths.gain_db[own]
            levels = [
                _power_sums_dbm(paths.receiver[own] - 2 * i, level_dbm - sieve.selectivity_db[use, c], 2)
                for c in sieve.candidates[i].tolist()
            ]
            at_a_dbm, at_b_dbm = np.array(levels).T
            _, _, both = _rerated(link, at_b_dbm, at_a_dbm)
            indexes[i] = int(best_channel(both))
            sent_dbm[2 * i : 2 * i + 2] = _sent_dbm([link], [indexes[i]])


def _power_sums_dbm(
    receiver: NDArray[np.int64], level_dbm: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Power sums of levels [p] by receiver, -inf without any; NaN levels are none."""
    milliwatts = np.nan_to_num(10.0 ** (0.1 * level_dbm))
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(np.bincount(receiver, milliwatts, count))


def _sent_dbm(links: Sequence[PlannedLink], indexes: Sequence[int]) -> NDArray[np.float64]:
    """E.i.r.p. of both ends of all links, NaN where an end sends nothing."""
    sent = np.full((len(links), 2), math.nan)
    for i, (link, c) in enumerate(zip(links, indexes, strict=True)):
        for side, way in enumerate((link.there, link.back)):
            if way is not None and int(way.reason[c]) == int(Reason.OK):
                sent[i, side] = way.used_dbm[c]
    return sent.reshape(-1)


def _disturbed(link: PlannedLink, chosen: int, levels_dbm: NDArray[np.float64]) -> Disturbed:
    at_a_dbm, at_b_dbm = levels_dbm.tolist()
    own = np.array([chosen])
    there, back = part_of(link.there, own), None if link.back is None else part_of(link.back, own)
    modes = [link.modes[0][chosen]], [link.modes[1][chosen]]
    alone = link._replace(there=there, back=back, modes=modes)
    there, back, both = _rerated(alone, np.array([at_b_dbm]), np.array([at_a_dbm]))
    return Disturbed(chosen, at_b_dbm, at_a_dbm, there, back, both)


def _rerated(
    link: PlannedLink, at_b_dbm: NDArray[np.float64], at_a_dbm: NDArray[np.float64]
) -> tuple[OneWay, OneWay | None, TwoWay]:
    """Both directions with further interference, by candidate."""
    there = _with_interference(link.there, link.modes[0], at_b_dbm, link.margins)
    back = None
    if link.back is not None:
        back = _with_interference(link.back, link.modes[1], at_a_dbm, link.margins)
    return there, back, together(there, back, link.share)


def _with_interference(
    whole: OneWay, modes: Sequence[ModeLevels], further_dbm: NDArray[np.float64], margins: Margins
) -> OneWay:
    """A direction with further interference by candidate."""

    def way(kind: ModeLevels, own: NDArray[np.int64]) -> OneWay:
        return _disturbed_way(part_of(whole, own), kind, further_dbm[own], margins)

    return by_modes(modes, way)


def _disturbed_way(
    way: OneWay, modes: ModeLevels, further_dbm: NDArray[np.float64], margins: Margins
) -> OneWay:
    """A direction with further interference; what has no service for it says so."""
    total_dbm = _power_sum(way.interference_dbm, further_dbm)
    rated = rate_levels(modes, way.received_dbm, total_dbm, *margins)
    alone = way.reason == int(Reason.OK)
    lost = alone & (rated.mode < 0)
    rated = rated._replace(
        mode=np.where(alone, rated.mode, way.rated.mode),
        rate_mbps=np.where(alone, rated.rate_mbps, way.rated.rate_mbps),
        mean_mbps=np.where(alone, rated.mean_mbps, way.rated.mean_mbps),
        throughput_mbps=np.where(alone, rated.throughput_mbps, way.rated.throughput_mbps),
    )
    reason = np.where(lost, int(Reason.MUTUAL_INTERFERENCE), way.reason).astype(np.uint8)
    noise_dbm = np.full(total_dbm.shape, modes.noise_dbm)
    return way._replace(
        interference_dbm=total_dbm,
        cni_db=way.received_dbm - _power_sum(noise_dbm, total_dbm),
        rated=rated,
        reason=reason,
    )


def _power_sum(one_dbm: NDArray[np.float64], other_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(10.0 ** (0.1 * one_dbm) + 10.0 ** (0.1 * other_dbm))


# --- paths --------------------------------------------------------------------------------------------------


def _paths_between(
    links: Sequence[PlannedLink],
    ground: LinkGround | None,
    model: str,
    use: tuple[Sequence[int], NDArray[np.int64], _Sieve] | None,
    threads: int,
) -> MutualPaths:
    """Paths from all transmitters to receivers of other links near enough.

    ``use``: candidates and channels of the links; only what these couple is looked at, at the sender's
    frequency. None: all, in the middle of the candidates.
    """
    receiver, sender = _coupled(links, None if use is None else use[2].selectivity_db[np.ix_(use[1], use[1])])
    lon, lat, height_m = (
        np.array([getattr(link.ends, name)[0] for link in links]).reshape(-1)
        for name in ("lon_deg", "lat_deg", "antennas_m")
    )
    both = np.stack([sender, receiver], axis=1)
    ends = link_ends(lon[both], lat[both], height_m[both])
    f_mhz = np.array([0.5 * (link.f_mhz[0] + link.f_mhz[-1]) for link in links])
    if use is not None:
        f_mhz = np.array([link.f_mhz[c] for link, c in zip(links, use[0], strict=True)])
    f_path = f_mhz[sender // 2]
    loss_db = _losses_db(ends, f_path, ground, model, threads)
    return MutualPaths(receiver, sender, _gains_db(links, ends, receiver, sender, f_path) - loss_db)


def _coupled(
    links: Sequence[PlannedLink], lost_db: NDArray[np.float64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ends that receive and ends that send, of different links that do not meet, within reach.

    ``lost_db`` [sending link, receiving link] infinite where their channels do not couple.
    """
    count = len(links)
    lon, lat = (
        np.radians(np.array([getattr(link.ends, name)[0] for link in links]).reshape(-1))
        for name in ("lon_deg", "lat_deg")
    )
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    sends = np.array([[True, link.back is not None] for link in links]).reshape(-1)
    receives = sends[np.arange(2 * count) ^ 1]
    found: list[NDArray[np.int64]] = []
    for i in range(count):
        apart_km = _EARTH_KM * np.sqrt(((points[2 * i : 2 * i + 2, np.newaxis] - points) ** 2).sum(axis=2))
        meet = (apart_km < _MEET_KM).any(axis=0).reshape(count, 2).any(axis=1)
        near = (apart_km <= _FARTHEST_KM) & sends & ~np.repeat(meet, 2)
        if lost_db is not None:
            near &= np.repeat(np.isfinite(lost_db[:, i]), 2)
        side, sender = np.nonzero(near & receives[2 * i : 2 * i + 2, np.newaxis])
        found.append(np.stack([2 * i + side, sender], axis=1))
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return pairs[:, 0], pairs[:, 1]


def _losses_db(
    ends: LinkEnds, f_mhz: NDArray[np.float64], ground: LinkGround | None, model: str, threads: int
) -> NDArray[np.float64]:
    """Losses [p] at 1 % of the time: over terrain where it is known, else of generic paths."""
    loss_db = np.full(ends.d_km.size, math.nan)
    generic = model if model in ("free_space", "extended_hata") else "p1546"
    over_terrain = ground is not None and model in ("p1812", "p1812_or_p1546")
    for f in np.unique(f_mhz).tolist():
        own = np.flatnonzero(f_mhz == f)
        part = LinkEnds(*(values[own] for values in ends))
        if over_terrain and ground is not None:
            looks = look_along(
                ground, part, [f], sight=False, threads=threads, time_pct=INTERFERENCE_TIME_PCT
            )
            loss_db[own] = looks.loss_db[:, 0]
        left = np.flatnonzero(np.isnan(loss_db[own]))
        for pair in np.unique(part.antennas_m[left], axis=0).tolist():
            alike = left[(part.antennas_m[left] == pair).all(axis=1)]
            path = GenericPath(generic, f, pair[0], pair[1], INTERFERENCE_TIME_PCT)
            loss_db[own[alike]] = generic_loss_db(path, part.d_km[alike])[0]
    return loss_db


def _gains_db(
    links: Sequence[PlannedLink],
    ends: LinkEnds,
    receiver: NDArray[np.int64],
    sender: NDArray[np.int64],
    f_mhz: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Gain of the receivers less what both patterns and crossed polarisations take away [p]."""
    gains_db = np.zeros(receiver.size)
    radios = [radio for link in links for radio in _pointed(link)]
    for end, radio in enumerate(radios):
        for at, side in ((receiver == end, 1), (sender == end, 0)):
            if at.any():
                off_db = attenuation_db(radio, ends.bearings_deg[at, side], float(f_mhz[at].mean()))
                gains_db[at] += (radio.gain_dbi if side == 1 else 0.0) - off_db
    crossed = [cross_polar_db(radios[r], radios[s]) for r, s in zip(receiver, sender, strict=True)]
    return gains_db - np.array(crossed)


def _pointed(link: PlannedLink) -> list[LinkEnd]:
    """The radios of a link with azimuths in degrees where they point at each other."""
    bearings = link.ends.bearings_deg[0].tolist()
    return [pointed(radio, bearing) for radio, bearing in zip(link.radios, bearings, strict=True)]
