"""No channel is available where an incumbent of its band is not evaluated; partial runs say so in names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from pipeline.availability.classes import Availability, availability_class, count_available
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file
from pipeline.plan.published_layers import published_layers
from pipeline.query.database import Database
from pipeline.query.query import PawsError, Request, answer
from pipeline.radio.allocations import is_partial, open_allocations, open_channels
from pipeline.services.base import ServiceContext
from pipeline.services.product import product_statement
from pipeline.services.table import service_names
from tests import asking
from tests.services.service_scene import GRID, make_context

OUT = {"status": "out_of_scope", "reason": "test"}
# Channels 21 to 25 of the European raster are 470 to 510 MHz; 25 is 502-510.
MOBILE = {"from_mhz": 450.0, "to_mhz": 502.0, "service": "mobile"}


def context_of(folder: Path, repository: Path, **more: object) -> ServiceContext:
    """Slovenia's settings with nothing evaluated: whatever limits is the cap or an allocation."""
    channels = {
        "plan": [{"first_channel": 21, "last_channel": 48, "first_centre_mhz": 474.0, "width_mhz": 8.0}],
        "wsd": ["21-48"],
        "allocated": [MOBILE],
    }
    channels |= more.pop("channels", {})  # type: ignore[arg-type]
    services = dict.fromkeys(service_names(), OUT) | more.pop("services", {})  # type: ignore[operator]
    return make_context(
        folder, repository, channels=channels, services=services, incumbents={}, areas={}, pmse={}, **more
    )


def layers(context: ServiceContext, channel: int) -> dict[str, np.ndarray]:
    """Values of one channel of the first device."""
    surface = raster.read(context.build / "territory/surface.tif")
    return asking.layers_of(context, context.config.devices[0], channel, surface.values)._asdict()


@pytest.mark.parametrize(("channel", "closed"), [(21, True), (24, True), (25, False), (48, False)])
def test_channel_with_an_incumbent_out_of_scope_is_not_evaluated(
    tmp_path: Path, repository: Path, channel: int, closed: bool
) -> None:
    found = layers(context_of(tmp_path, repository), channel)
    classes = availability_class(found["limit"], 0.0)
    if closed:
        assert (found["max_eirp"] == -9998).all()
        assert (found["limiting_service"] == 14).all()
        assert (classes == Availability.NOT_EVALUATED).all()
    else:
        assert (found["max_eirp"] == 3600).all()
        assert (classes == Availability.AVAILABLE).all()
    assert (count_available(classes[np.newaxis]) == (0 if closed else 1)).all()
    assert found["max_eirp"].shape == GRID.shape


@pytest.mark.parametrize(
    "service",
    [{"applicable": False, "reason": "test"}, {"status": "evaluate"}],
    ids=["does not exist", "is evaluated"],
)
def test_incumbent_that_needs_no_closing(
    tmp_path: Path, repository: Path, service: dict[str, object]
) -> None:
    config = context_of(tmp_path, repository, services={"mobile": service}).config
    assert open_channels(config) == {}
    assert not is_partial(config)


def test_broadcasting_is_television(tmp_path: Path, repository: Path) -> None:
    band = {"from_mhz": 470.0, "to_mhz": 478.0, "service": "broadcasting"}
    config = context_of(tmp_path, repository, channels={"allocated": [band]}).config
    assert open_channels(config) == {"dtt": [21]}
    evaluated = context_of(
        tmp_path, repository, channels={"allocated": [band]}, services={"dtt": {"status": "evaluate"}}
    ).config
    assert open_channels(evaluated) == {}


def test_device_wider_than_its_channel_meets_the_band_beside(tmp_path: Path, repository: Path) -> None:
    config = context_of(tmp_path, repository).config
    device = config.devices[0]
    assert not open_allocations(config, device, 25)
    wide = device.model_copy(update={"bandwidth_mhz": 8.2})
    assert [found.service for found in open_allocations(config, wide, 25)] == ["mobile"]


def test_partial_maps_keep_the_number_and_count_nothing(tmp_path: Path, repository: Path) -> None:
    context = context_of(tmp_path, repository, channels={"publish_partial": True})
    found = layers(context, 21)
    assert (found["max_eirp"] == 3600).all()
    assert (availability_class(found["limit"], 0.0) == Availability.NOT_EVALUATED).all()
    assert product_statement(context.config).startswith("Partial maps: without")


def device_files(config: Config) -> list[str]:
    jobs = {"combine", "availability", "regions", "query"}
    return [found.file for found in published_layers(config, [21]) if found.layer.job in jobs]


@pytest.mark.parametrize("how", ["publish_partial", "study"])
def test_names_of_a_partial_run_say_so(tmp_path: Path, repository: Path, how: str) -> None:
    more = {"study": "SM.2405 Annex 5"} if how == "study" else {"channels": {"publish_partial": True}}
    config = context_of(tmp_path, repository, **more).config
    device = config.devices[0].id
    names = device_files(config)
    assert names
    assert all(Path(name).stem.endswith("_partial") for name in names)
    assert f"public/max_eirp_{device}_ch21_partial.tif" in names
    assert f"public/max_eirp_{device}_partial.vrt" in names
    assert "public/statistics_partial.csv" in names
    assert layer_file("dtt_field", dtt_channel=21, partial=True) == "internal/dtt_field_ch21.tif"


def test_names_of_a_whole_run_stay(tmp_path: Path, repository: Path) -> None:
    config = context_of(tmp_path, repository).config
    assert not any("_partial" in name for name in device_files(config))


def test_study_closes_nothing_and_is_named(tmp_path: Path, repository: Path) -> None:
    context = context_of(tmp_path, repository, study="SM.2405 Annex 5")
    assert (layers(context, 21)["limit"] == 3600).all()
    statement = product_statement(context.config)
    assert statement.startswith("Reproduction of SM.2405 Annex 5: without")
    assert "mobile" in statement


def test_query_of_a_partial_run_is_refused() -> None:
    facts = {"refused": "Reproduction of SM.2405 Annex 5: without aeronautical"}
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:3794", always_xy=True)
    valid = {"startTime": "2026-12-05T00:00:00Z", "stopTime": "2026-12-06T00:00:00Z"}
    database = Database(Path(), "run", facts, valid, {}, to_grid, {})
    with pytest.raises(PawsError, match="Reproduction of") as refusal:
        answer(database, Request(14.5, 46.0))
    assert int(refusal.value.code) == -103


@pytest.mark.parametrize(
    ("band", "said"),
    [
        (MOBILE | {"service": "sonar"}, "sonar"),
        (MOBILE | {"to_mhz": 450.0}, "to_mhz must lie above from_mhz"),
        (MOBILE | {"from_mhz": -1.0}, "from_mhz"),
    ],
)
def test_faulty_allocation_is_refused(
    tmp_path: Path, repository: Path, band: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        context_of(tmp_path, repository, channels={"allocated": [band]})
    assert "channels.allocated.0" in str(refusal.value)
    assert "\n" not in str(refusal.value)
