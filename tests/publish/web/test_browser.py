"""The page in a real Chromium: what a click shows is what the rasters hold, a link brings the view back."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer

from pipeline.grid.grid import Grid
from tests.jobs import run_from
from tests.publish.web.browser import PlainHandler, RangeHandler, browser, served
from tests.publish.web.made_up import CHANNELS, GRID, NOTICE, write_made_up
from tests.publish.web.test_picture import colour_of

pytestmark = pytest.mark.slow
DESKTOP, PHONE, SMALL_PHONE = (1280, 800), (375, 740), (320, 640)
MIDDLE = (45.97, 14.45)  # latitude, longitude of a place inside
SERVICES = {0: "no limit", 1: "DTT reception", 2: "PMSE", 8: "foreign DTT reception", 9: "cap of the device"}
WORDS = {-9999: "not permitted", -9998: "not evaluated"}


class Site(NamedTuple):
    """The made-up run on a server, in a browser."""

    chromium: Any
    address: str
    public: Path

    def open(self, fragment: str = "", size: tuple[int, int] = DESKTOP, address: str = "") -> Any:
        page = self.chromium.new_page(viewport={"width": size[0], "height": size[1]})
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda said: page.troubles.append(said.text) if said.type == "error" else None)
        page.goto((address or self.address) + fragment)
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        page.wait_for_timeout(800)
        return page

    def values(self, device: str, lat_deg: float, lon_deg: float) -> list[tuple[int, int]]:
        """(raw level, service) of all channels at a place: pyproj and rasterio, nothing of the page."""
        to_grid = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
        x_m, y_m = to_grid.transform(lon_deg, lat_deg)
        found = []
        for channel in CHANNELS:
            pair = []
            for layer in ("max_eirp", "limiting_service"):
                with rasterio.open(self.public / f"{layer}_{device}_ch{channel}.tif") as source:
                    pair.append(int(source.read(1)[source.index(x_m, y_m)]))
            found.append((pair[0], pair[1]))
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_made_up(folder)
        run_from("web", Path("territory.yaml"), Path("build"))
    public = folder / "build/public"
    with browser() as chromium, served(public / "web", RangeHandler) as address:
        yield Site(chromium, address, public)


def view(zoom: float, lat_deg: float, lon_deg: float) -> str:
    return f"map={zoom:.2f}/{lat_deg:.5f}/{lon_deg:.5f}"


def at_offset(
    zoom: float, lat_deg: float, lon_deg: float, right_px: float, down_px: float
) -> tuple[float, float]:
    """Latitude and longitude of a point of the map beside its centre, by Mercator's closed form."""
    size_px = 512.0 * 2.0**zoom
    x = (lon_deg + 180.0) / 360.0 + right_px / size_px
    y = 0.5 - math.asinh(math.tan(math.radians(lat_deg))) / (2.0 * math.pi) + down_px / size_px
    return math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * y)))), x * 360.0 - 180.0


def until(page: Any, expression: str) -> None:
    """Wait for an expression to become true; asked from outside, as the page's policy forbids it inside."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


def until_read_near(page: Any, lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """Wait for the numbers of a place, to a pixel of the window, and tell which place it is to 1 m."""
    at = "location.hash.split('at=')[1]?.split('/').map(Number)"
    near = f"Math.abs(at[0] - {lat_deg}) < 4e-4 && Math.abs(at[1] - {lon_deg}) < 4e-4"
    until(page, f"(at => at && {near})({at})")
    until(page, f"(at => document.querySelector('#caption').textContent.includes(at[1].toFixed(5)))({at})")
    found = page.evaluate(at)
    return found[0], found[1]


def middle_of_map(page: Any) -> tuple[float, float]:
    box = page.locator("#map canvas").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def shown(page: Any) -> list[tuple[int, int]]:
    rows = page.locator("#rows tr")
    return [
        (int(row.get_attribute("data-raw")), int(row.get_attribute("data-service"))) for row in rows.all()
    ]


def texts(page: Any) -> list[list[str]]:
    rows = page.locator("#rows tr").all()
    return [[cell.inner_text().strip() for cell in row.locator("th button, td").all()] for row in rows]


def test_click_shows_the_numbers_of_the_raster(site: Site) -> None:
    zoom = 11.0
    page = site.open(f"#layer=max_eirp&device=fixed30&channel=22&{view(zoom, *MIDDLE)}")
    x, y = middle_of_map(page)
    seen = set()
    for right, down in [(0, 0), (-200, 60), (170, -210), (95, 130), (-130, -155), (-301, -33), (44, 211)]:
        place = at_offset(zoom, *MIDDLE, right, down)
        page.mouse.click(x + right, y + down)
        place = until_read_near(page, *place)
        expected = site.values("fixed30", *place)
        assert shown(page) == expected
        for row, channel, (raw, service) in zip(texts(page), CHANNELS, expected, strict=True):
            level = WORDS.get(raw, f"{math.floor(raw) / 100:.2f}")
            assert row[:3] == [str(channel), str(474 + 8 * (channel - 21)), level]
            assert row[3] == SERVICES.get(service, row[3])
            seen.add("level" if raw > -9000 else raw)
        for level_dbm in (0, 20, 36):
            with rasterio.open(site.public / f"available_channels_fixed30_{level_dbm}dbm.tif") as source:
                to_grid = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
                count = source.read(1)[source.index(*to_grid.transform(place[1], place[0]))]
            assert f"{count} at {level_dbm} dBm" in page.inner_text("#summary")
    assert seen == {"level", -9999, -9998}
    assert page.troubles == []


def test_typed_place_shows_the_numbers_of_its_device(site: Site) -> None:
    page = site.open("#device=small")
    page.fill("#search", "45,97; 14.45")
    page.press("#search", "Enter")
    page.wait_for_selector("#rows tr")
    assert shown(page) == site.values("small", *MIDDLE)
    page.select_option("#device", "fixed30")
    until(page, "document.querySelector('#caption').textContent.startsWith('fixed30')")
    assert shown(page) == site.values("fixed30", *MIDDLE)
    page.fill("#search", "95, 14")
    page.press("#search", "Enter")
    assert "No such place" in page.inner_text("#not-found")
    assert "at=45.97000/14.45000" in page.evaluate("location.hash")


def test_place_is_found_by_name(site: Site) -> None:
    """Without accents and from the keyboard; places outside the territory are not offered."""
    page = site.open(f"#device=small&{view(13, *MIDDLE)}")
    page.focus("#search")
    page.keyboard.type("o")
    assert page.locator("#found li").all_inner_texts() == ["Zgoraj", "Dol"]
    assert page.get_attribute("#search", "aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#search", "aria-activedescendant") == "found-0"
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows tr")
    until_read_near(page, 46.12, 14.21)
    assert shown(page) == site.values("small", 46.12, 14.21)
    middle = page.evaluate("location.hash.split('map=13.00/')[1].split('&')[0].split('/').map(Number)")
    assert middle == pytest.approx((46.12, 14.21), abs=1e-3)
    assert page.evaluate("document.activeElement.id") == "result"
    assert page.locator("#found").is_hidden()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_table_is_one_step_from_the_map(site: Site, size: tuple[int, int]) -> None:
    page = site.open(f"#layer=max_eirp&channel=22&{view(11, *MIDDLE)}", size)
    assert page.locator("#all").is_hidden()
    page.mouse.click(*middle_of_map(page))
    page.wait_for_selector("#all:not([hidden])")
    page.click("#all")
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.id") == "result"
    box = page.locator("#rows tr").first.bounding_box()
    assert 0 <= box["y"] < size[1] - 40
    page.keyboard.press("Escape")
    assert page.locator("#all").is_hidden()


def test_outside_is_said_to_be_outside(site: Site) -> None:
    page = site.open("#at=45.97000/13.60000")
    assert "Outside the territory" in page.inner_text("#summary")
    assert shown(page) == []
    page.goto(site.address + "#at=10.00000/10.00000")
    until(page, "document.querySelector('#readout').textContent.includes('10.00000')")
    assert "Outside the territory" in page.inner_text("#readout")


def test_map_shows_the_colour_of_the_pixel(site: Site) -> None:
    """Far enough in, the middle of the window is one pixel of the grid, of the class of its value."""
    to_grid = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
    with rasterio.open(site.public / "max_eirp_fixed30_ch21.tif") as source:
        values = source.read(1)
        chance = np.random.default_rng(4)
        inside = np.argwhere(values != -32768)
        for row, col in inside[chance.integers(0, len(inside), 4)]:
            lon, lat = to_grid.transform(*source.xy(row, col), direction="INVERSE")
            page = site.open(f"#layer=max_eirp&device=fixed30&channel=21&{view(14, lat, lon)}")
            page.wait_for_timeout(700)
            x, y = middle_of_map(page)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            expected = colour_of("max_eirp", int(values[row, col]))[:3]
            assert picture.getpixel((int(x), int(y))) == expected
            page.close()


def test_map_beyond_its_pictures_is_empty_without_trouble(site: Site, tmp_path: Path) -> None:
    """Two patches in opposite corners: most of the box has no pictures, where the map opens and around."""
    grid = Grid(GRID.crs, 100.0, GRID.west_m, GRID.north_m, 750, 950)
    row, col = np.mgrid[: grid.height, : grid.width]
    inside = (row + col < 200) | ((grid.height - row) + (grid.width - col) < 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        write_made_up(tmp_path, grid, inside)
        run_from("web", Path("territory.yaml"), Path("build"))
    web = tmp_path / "build/public/web"
    west, south, east, north = json.loads((web / "maps.json").read_text(encoding="utf-8"))["box_deg"]
    empty = f"#layer=max_eirp&channel=22&{view(11, 0.5 * (south + north), 0.5 * (west + east))}"
    with served(web, RangeHandler) as address:
        page = site.open(empty, address=address)
        page.focus("canvas")
        for key in (*["Minus"] * 5, *["ArrowLeft", "ArrowUp"] * 2, *["Equal"] * 4, "ArrowRight"):
            page.keyboard.press(key)
            page.wait_for_timeout(500)
        assert page.locator("#trouble").is_hidden(), page.inner_text("#trouble")
        assert page.troubles == []


def test_share_link_brings_the_view_back(site: Site) -> None:
    page = site.open()
    page.select_option("#level", "36")
    page.check("#layer-limiting_service")
    page.select_option("#channel", "22")
    page.click("#after")
    x, y = middle_of_map(page)
    page.mouse.click(x + 40, y - 30)
    page.wait_for_selector("#rows tr")
    page.keyboard.press("Tab")
    page.click(".maplibregl-ctrl-zoom-in")
    page.wait_for_timeout(800)
    page.click("#share")
    link = page.evaluate("location.href")
    again = site.open(link.removeprefix(site.address))
    again.check("#layer-available_channels")
    assert again.input_value("#level") == "36"
    again.check("#layer-limiting_service")
    assert again.is_checked("#layer-limiting_service")
    assert again.input_value("#channel") == "23"
    assert shown(again) == shown(page)
    assert again.inner_text("#legend") == page.inner_text("#legend")
    zoom, lat, lon = (float(part) for part in link.split("map=")[1].split("&")[0].split("/"))
    again.keyboard.press("Tab")
    again.focus("canvas")
    again.keyboard.press("Enter")
    until_read_near(again, lat, lon)
    assert f"map={zoom:.2f}/" in again.evaluate("location.hash")
    again.goto(site.address + "#layer=max_eirp&channel=21")
    until(again, "document.querySelector('#layer-max_eirp').checked")


def test_keyboard_alone_is_enough(site: Site) -> None:
    page = site.open(f"#layer=available_channels&{view(10, *MIDDLE)}")
    order = []
    for _ in range(19):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert order[0] == "skip"
    stops = [
        "maplibregl-canvas",
        "search",
        "locate",
        "layer-available_channels",
        "device",
        "level",
        "opacity",
        "vs",
        "language",
        "share",
        "print",
    ]
    assert [name for name in order if name in stops] == stops
    page.focus("canvas")
    before = page.evaluate("location.hash")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(900)
    after = page.evaluate("location.hash")
    assert float(after.split("/")[2].split("&")[0]) > float(before.split("/")[2].split("&")[0]) + 0.01
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows tr")
    lat, lon = (float(part) for part in page.evaluate("location.hash").split("at=")[1].split("/"))
    assert shown(page) == site.values("fixed30", lat, lon)
    page.keyboard.press("Escape")
    assert page.locator("#result").is_hidden()
    assert "at=" not in page.evaluate("location.hash")
    page.focus("#layer-available_channels")
    page.keyboard.press("ArrowDown")
    assert page.is_checked("#layer-max_eirp")
    page.focus("#channel")
    page.keyboard.press("ArrowDown")
    assert page.input_value("#channel") == "22"
    assert "channel=22" in page.evaluate("location.hash")


def test_controls_have_names_and_news_is_announced(site: Site) -> None:
    page = site.open("#at=45.97000/14.45000")
    unnamed = page.evaluate("""() => {
        const named = (e) => e.ariaLabel || e.labels?.length || e.textContent.trim() || e.title;
        const controls = [...document.querySelectorAll('button, input, select, canvas')];
        return controls.filter((e) => !named(e)).map((e) => e.outerHTML);
    }""")
    assert unnamed == []
    assert page.get_attribute("#readout", "aria-live") == "polite"
    assert page.get_attribute("#trouble", "role") == "alert"
    assert page.locator("table caption").inner_text() != ""
    assert "Made-up land" in page.locator("canvas").first.get_attribute("aria-label")


@pytest.mark.parametrize("size", [PHONE, SMALL_PHONE, DESKTOP])
def test_nothing_is_wider_than_the_window(site: Site, size: tuple[int, int]) -> None:
    page = site.open("#layer=max_eirp&channel=22&at=45.97000/14.45000", size)
    page.wait_for_selector("#rows tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(
        "document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth"
    )
    for selector in ("#notice", "#map"):
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0, selector
        assert box["y"] + box["height"] <= size[1], selector
    tapped = page.locator("#layers label").first.bounding_box()
    assert tapped["height"] >= 24


def test_statements_are_in_sight(site: Site) -> None:
    page = site.open()
    text = page.inner_text("#notice")
    assert text.startswith("DTT only, not for licensing. ")
    assert NOTICE in text
    assert "not verified" in text
    assert "coverage.q_min" in page.inner_text("#about")


def test_legend_tells_units_and_the_three_kinds_of_nothing(site: Site) -> None:
    page = site.open("#layer=max_eirp&channel=21")
    assert page.inner_text("#legend-title") == "Maximum permitted e.i.r.p. (dBm)"
    entries = page.locator("#legend li").all()
    looks = {
        entry.inner_text().strip(): entry.locator(".swatch").evaluate("e => getComputedStyle(e).background")
        for entry in entries
    }
    assert {"not permitted", "not evaluated", "outside"} <= set(looks)
    assert len(set(looks.values())) == len(looks)


def test_page_asks_its_own_server_only(site: Site) -> None:
    page = site.chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.address + "#layer=max_eirp&at=45.97000/14.45000")
    page.wait_for_selector("#rows tr", timeout=30_000)
    page.wait_for_timeout(1000)
    assert [url for url in asked if not url.startswith((site.address, "blob:", "data:"))] == []
    assert any("tiles/" in url for url in asked)


def test_server_without_ranges_is_enough(site: Site) -> None:
    with served(site.public / "web", PlainHandler) as address:
        page = site.open("#layer=max_eirp&channel=21&at=45.97000/14.45000", address=address)
        assert shown(page) == site.values("fixed30", *MIDDLE)
        assert page.troubles == []


def test_page_opened_from_a_disk_reads_the_folder_it_is_given(site: Site) -> None:
    page = site.chromium.new_page()
    page.goto(f"file://{site.public}/web/index.html#device=small&at=45.97000/14.45000")
    assert "Folder of this page" in page.inner_text("#folder")
    page.set_input_files("#files", str(site.public / "web"))
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    assert shown(page) == site.values("small", *MIDDLE)
    assert page.locator("#map canvas").count() == 1


def test_missing_file_is_told(site: Site, tmp_path: Path) -> None:
    for name in ("index.html", "app.js", "app.css"):
        (tmp_path / name).write_bytes((site.public / "web" / name).read_bytes())
    with served(tmp_path, RangeHandler) as address:
        page = site.chromium.new_page()
        page.goto(address)
        page.wait_for_selector("#trouble:not([hidden])", timeout=10_000)
        assert "maps.json" in page.inner_text("#trouble")
