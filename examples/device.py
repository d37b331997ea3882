"""A white-space device as a client of a database over PAWS (RFC 7545), in plain Python.

    python examples/device.py https://database.example/paws --lat 46.40 --lon 15.22 --height 28

Read it before you write your own. A device asks what it may use, reports what it will use, transmits only
after that report was acknowledged, asks again in time, and is silent when it may not ask or is not answered.
It has no radio: ``Device.on_air`` says what one would do.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

Json = dict[str, Any]
VERSION, RULES = "1.0", "ETSI-EN-301-598-2.1.1"
WIDTH_HZ = 8e6
ANSWER_WITHIN_S = 30.0
METRES_PER_DEGREE = 111_320.0
# Errors after which asking again at once makes no sense (RFC 7545, section 5.17).
MOVED_DATABASE, OUTSIDE = -105, -104


class Refused(Exception):
    """The database answered with an error."""

    def __init__(self, error: Json) -> None:
        self.code = int(error["code"])
        self.data = error.get("data") or {}
        super().__init__(error["message"])


class Emission(NamedTuple):
    """What is on air: lowest frequency of a channel in Hz, e.i.r.p. in dBm, until when (UTC seconds)."""

    start_hz: float
    dbm: float
    until_s: float


class Device:
    """A fixed master of type A; ``clock`` gives UTC seconds."""

    def __init__(
        self, url: str, serial: str, height_m: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Silent, and known to nobody yet."""
        self.url = url
        self.clock = clock
        self.height_m = height_m
        self.desc = {
            "serialNumber": serial,
            "manufacturerId": "Example",
            "modelId": "Device-1",
            "rulesetIds": [RULES],
            "etsiEnDeviceType": "A",
            "etsiEnDeviceEmissionsClass": "1",
            "etsiEnTechnologyId": "example-1",
            "etsiEnDeviceCategory": "master",
        }
        self.place = (0.0, 0.0)
        self.asked_at = (math.inf, math.inf)
        self.may_move_m = 0.0
        self.contact_until_s = -math.inf
        self._emission: Emission | None = None
        self._number = 0

    # --- messages -------------------------------------------------------------------------------------------

    def call(self, method: str, kind: str, **members: object) -> Json:
        """One request; Refused for an error, OSError where the database cannot be reached."""
        self._number += 1
        params = {"type": kind, "version": VERSION, "deviceDesc": self.desc, **members}
        message = {"jsonrpc": "2.0", "id": str(self._number), "method": f"spectrum.paws.{method}"}
        request = urllib.request.Request(
            self.url,
            data=json.dumps(message | {"params": params}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as response:
            answer: Json = json.load(response)
        if answer.get("id") != message["id"]:
            raise OSError("an answer to another question")
        if "error" in answer:
            raise Refused(answer["error"])
        return dict(answer["result"])

    def location(self) -> Json:
        """Where the device is, and how well it knows: 20 m, 95 %."""
        centre = {"latitude": self.place[0], "longitude": self.place[1]}
        ellipse = {"center": centre, "semiMajorAxis": 20.0, "semiMinorAxis": 20.0, "orientation": 0.0}
        return {"point": ellipse, "confidence": 95}

    def antenna(self) -> Json:
        """How high the antenna is above the ground."""
        return {"height": self.height_m, "heightType": "AGL", "heightUncertainty": 1.0}

    def begin(self) -> None:
        """Ask which rules hold here, then register."""
        answer = self.call("init", "INIT_REQ", location=self.location())
        if RULES not in [info["rulesetId"] for info in answer["rulesetInfos"]]:
            raise Refused({"code": -102, "message": f"{RULES} is not served here"})
        self.call("register", "REGISTRATION_REQ", location=self.location(), antenna=self.antenna())

    def ask(self) -> list[Emission]:
        """What may be used now, the strongest channel first; empty: nothing."""
        begun_s = self.clock()
        answer = self.call(
            "getSpectrum", "AVAIL_SPECTRUM_REQ", location=self.location(), antenna=self.antenna()
        )
        (spec,) = answer["spectrumSpecs"]
        info = spec["rulesetInfo"]
        self.asked_at, self.may_move_m = self.place, float(info["maxLocationChange"])
        self.contact_until_s = begun_s + float(info["maxPollingSecs"])
        # Schedules are by the clock of the database; that of the device may be wrong.
        ahead_s = _seconds(answer["timestamp"]) - begun_s
        offered = [
            one for schedule in spec["spectrumSchedules"] for one in _offered(schedule, ahead_s, begun_s)
        ]
        return sorted(offered, key=lambda one: -one.dbm)

    def report(self, emission: Emission | None) -> None:
        """Say what will be used, or that nothing is."""
        spectra: list[Json] = []
        if emission is not None:
            points = [{"hz": emission.start_hz + at, "dbm": emission.dbm} for at in (0.0, WIDTH_HZ)]
            spectra = [{"resolutionBwHz": WIDTH_HZ, "profiles": [points]}]
        self.call("notifySpectrumUse", "SPECTRUM_USE_NOTIFY", location=self.location(), spectra=spectra)

    # --- what the device does -------------------------------------------------------------------------------

    def on_air(self) -> Emission | None:
        """What the radio emits: nothing without permission, contact in time, or at another place."""
        emission = self._emission
        if emission is None or self.clock() >= min(emission.until_s, self.contact_until_s):
            return None
        return None if self.has_moved() else emission

    def has_moved(self) -> bool:
        """Whether the device is farther from where it asked than the rules allow."""
        north_m = METRES_PER_DEGREE * (self.place[0] - self.asked_at[0])
        east_m = (
            METRES_PER_DEGREE * math.cos(math.radians(self.place[0])) * (self.place[1] - self.asked_at[1])
        )
        return not math.hypot(north_m, east_m) <= self.may_move_m

    def poll(self) -> str:
        """Ask, report, and use what was acknowledged; what came of it, in a word."""
        try:
            offered = self.ask()
            emission = offered[0] if offered else None
            self.report(emission)
        except Refused as refused:
            self._emission = None  # an error means silence
            if refused.code == MOVED_DATABASE:
                self.url = refused.data["spec"]["databases"][0]["uri"]
            return str(refused)
        except (OSError, ValueError) as fault:
            return f"no answer ({fault})"  # what was permitted stays so until the contact is too old
        self._emission = emission
        return "nothing available" if emission is None else "on air"

    def wait_s(self) -> float:
        """Until the next question: half of what is left, so that one may fail."""
        return max(1.0, (self.contact_until_s - self.clock()) / 2.0)

    def end(self) -> None:
        """Be silent, and say so."""
        self._emission = None
        self.report(None)


def _offered(schedule: Json, ahead_s: float, now_s: float) -> list[Emission]:
    """The channels of a schedule that holds now: whole ones, at their lowest level."""
    period = schedule["eventTime"]
    from_s, until_s = (_seconds(period[name]) - ahead_s for name in ("startTime", "stopTime"))
    if not from_s <= now_s < until_s:
        return []
    found = []
    for spectrum in schedule["spectra"]:
        if spectrum["resolutionBwHz"] != WIDTH_HZ:
            continue
        for profile in spectrum["profiles"]:
            pairs = zip(profile[::2], profile[1::2], strict=True)
            found += [Emission(low["hz"], min(low["dbm"], high["dbm"]), until_s) for low, high in pairs]
    return found


def _seconds(instant: str) -> float:
    return datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def main() -> None:
    """Run a device until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="where the database answers: https://.../paws")
    parser.add_argument("--lat", type=float, required=True, help="degrees north, WGS84")
    parser.add_argument("--lon", type=float, required=True, help="degrees east, WGS84")
    parser.add_argument("--height", type=float, default=10.0, help="antenna above ground in m")
    parser.add_argument("--serial", default="1", help="serial number")
    parser.add_argument("--polls", type=int, default=0, help="stop after this many questions; 0: never")
    given = parser.parse_args()
    device = Device(given.url, given.serial, given.height)
    device.place = (given.lat, given.lon)
    device.begin()
    count = 0
    try:
        while True:
            print(device.poll(), device.on_air())
            count += 1
            if count == given.polls:
                break
            time.sleep(device.wait_s())
    finally:
        device.end()


if __name__ == "__main__":
    main()
