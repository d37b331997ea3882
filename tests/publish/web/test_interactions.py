"""A reader's 40 steps on the page at three sizes; the same steps fail on pages that are broken on purpose."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from pipeline.publish.web.web_files import BUNDLE
from tests.publish.web.browser import RangeHandler, browser, served
from tests.publish.web.made_up import published

pytestmark = pytest.mark.slow
SIZES = [(375, 740), (768, 1024), (1400, 900)]
AXE = BUNDLE.parent / "page/node_modules/axe-core/axe.min.js"
HOME = (46.05, 14.12)  # latitude and longitude of Dol, a place of the made-up land


class Scene(NamedTuple):
    """Folder ``public`` of a made-up run with terrain on a server, and a browser."""

    chromium: Any
    address: str
    public: Path

    def open(self, fragment: str = "", size: tuple[int, int] = SIZES[2], page: str = "web/") -> Any:
        allowed = ["geolocation", "clipboard-read", "clipboard-write"]
        place = {"latitude": 46.0, "longitude": 14.3, "accuracy": 12.0}
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            permissions=allowed,
            geolocation=place,
            locale="en-GB",
        )
        opened = context.new_page()
        opened.set_default_timeout(8_000)
        opened.troubles = []
        opened.failure = pytest.importorskip("playwright.sync_api").Error
        opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
        opened.on("console", lambda said: opened.troubles.append(said.text) if said.type == "error" else None)
        opened.goto(self.address + page + fragment)
        opened.wait_for_selector("html[data-ready]", timeout=30_000)
        return opened


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    public = published(tmp_path_factory.mktemp("run"))
    shutil.copytree(public / "web", public / "other/web")
    with browser() as chromium, served(public, RangeHandler) as address:
        yield Scene(chromium, address, public)


# --- the steps ----------------------------------------------------------------------------------------------


def until(page: Any, expression: str, seconds: float = 8.0) -> None:
    """Wait for an expression to become true; asked from outside, as the page's policy forbids it inside."""
    for _ in range(round(seconds / 0.1)):
        with suppress(page.failure):  # while the page is opened anew
            if page.evaluate(expression):
                return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


def hash_has(text: str) -> str:
    return f"location.hash.includes({json.dumps(text)})"


def text_has(selector: str, text: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(text)})"


def on_map(page: Any, right: float = 0.0, down: float = 0.0) -> None:
    """Click the map beside its middle, by fractions of its size."""
    canvas = page.locator("#map canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * (0.5 + right), "y": box["height"] * (0.5 + down)})


def typed(page: Any, text: str) -> None:
    page.fill("#search", text)
    page.press("#search", "Enter")


def set_range(page: Any, selector: str, value: int) -> None:
    page.locator(selector).fill(str(value))


def dragged(page: Any) -> None:
    box = page.locator("#map canvas").bounding_box()
    page.locator("#map canvas").scroll_into_view_if_needed()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=4)
    page.mouse.up()


def keys(page: Any, *names: str) -> None:
    page.focus("#map canvas")
    for name in names:
        page.keyboard.press(name)
        page.wait_for_timeout(350)


def speak_slovene(page: Any) -> None:
    with page.expect_navigation():
        page.select_option("#language", "sl")


def into_the_corner(page: Any) -> None:
    """Where the box of the territory has no pictures: nothing of it is in sight."""
    page.evaluate("""fetch('maps.json').then((answer) => answer.json()).then(({ box_deg: [west, south] }) => {
        location.hash = `map=11/${south + 0.03}/${west + 0.03}`;
    })""")
    page.wait_for_timeout(1000)


def step(act: Callable[[Any], Any], expression: str) -> tuple[Callable[[Any], Any], str]:
    return act, expression


STEPS = [
    step(lambda p: typed(p, "dol"), text_has("#caption", "46.05000° N, 14.12000° E")),
    step(lambda p: p.keyboard.press("Escape"), "document.querySelector('#result').hidden"),
    step(lambda p: typed(p, "46°03'N 14°07'12\"E"), hash_has("at=46.05000/14.12000")),
    step(lambda p: p.click("#copy"), text_has("#shared", "copied")),
    step(lambda p: p.select_option("#level", "0"), hash_has("level=0")),
    step(lambda p: p.select_option("#level", "36"), text_has("#answer-title", "Channels at 36 dBm")),
    step(lambda p: p.check("#layer-max_eirp"), text_has("#legend-title", "Maximum permitted e.i.r.p. (dBm)")),
    step(lambda p: p.click("#after"), hash_has("channel=22")),
    step(lambda p: p.click("#before"), hash_has("channel=21")),
    step(lambda p: p.select_option("#channel", "23"), text_has("#readout", "channel 23")),
    step(lambda p: p.check("#layer-limiting_service"), text_has("#legend-title", "Limiting service")),
    step(lambda p: p.select_option("#device", "small"), text_has("#caption", "small at")),
    step(lambda p: p.click("#rows tr:nth-child(1) button"), hash_has("channel=21")),
    step(
        lambda p: p.click("thead th:nth-child(3) button"),
        "document.querySelector('thead th:nth-child(3)').ariaSort === 'ascending'",
    ),
    step(
        lambda p: p.click("thead th:nth-child(3) button"),
        "[...document.querySelectorAll('#rows tr')].map((row) => Number(row.dataset.raw))"
        ".every((raw, place, all) => place === 0 || all[place - 1] >= raw)",
    ),
    step(
        lambda p: p.click("thead th:nth-child(1) button"),
        "[...document.querySelectorAll('#rows tr')].map(r => r.dataset.channel).join() === '21,22,23'",
    ),
    step(lambda p: p.select_option("#device", "fixed30"), hash_has("device=fixed30")),
    step(on_map, "!document.querySelector('#result').hidden"),
    step(lambda p: on_map(p, 0.08, 0.04), text_has("#readout", "limited by")),
    step(lambda p: p.click("#all"), "document.activeElement.id === 'result'"),
    step(lambda p: p.click("#clear"), "!location.hash.includes('at=')"),
    step(lambda p: p.click(".maplibregl-ctrl-zoom-in"), "location.hash.includes('map=')"),
    step(lambda p: p.click(".maplibregl-ctrl-zoom-out"), hash_has("map=")),
    step(dragged, hash_has("map=")),
    step(lambda p: keys(p, "Minus", "Minus", "Minus", "Minus"), hash_has("map=")),
    step(lambda p: keys(p, "ArrowLeft", "ArrowUp", "ArrowRight"), hash_has("map=")),
    step(into_the_corner, hash_has("map=11")),
    step(lambda p: typed(p, "45,97; 13,60"), text_has("#summary", "Outside the territory")),
    step(lambda p: p.click("#locate"), text_has("#not-found", "Within 12 m")),
    step(lambda p: p.wait_for_timeout(10), hash_has("at=46.00000/14.30000")),
    step(lambda p: set_range(p, "#opacity", 40), hash_has("opacity=40")),
    step(lambda p: p.check("#relief"), hash_has("relief=1")),
    step(lambda p: p.check("#layer-available_channels"), hash_has("layer=available_channels")),
    step(lambda p: p.select_option("#vs", "level:36"), text_has("#right-name", "36 dBm")),
    step(
        lambda p: set_range(p, "#split", 30),
        "document.querySelector('#stage').style.getPropertyValue('--split') === '0.3'",
    ),
    step(lambda p: p.select_option("#vs", "run"), "document.activeElement.id === 'run'"),
    step(
        lambda p: (p.fill("#run", "../other/web"), p.press("#run", "Enter"), p.locator("#run").blur()),
        text_has("#right-name", "../other/web"),
    ),
    step(
        lambda p: p.select_option("#vs", ""),
        "getComputedStyle(document.querySelector('#other')).display === 'none'",
    ),
    step(lambda p: p.click("#share"), text_has("#shared", "Link copied")),
    step(lambda p: typed(p, "nowhere at all"), text_has("#not-found", "No such place")),
    step(lambda p: p.evaluate("location.hash = '#channel=99&at=200/3'"), text_has("#wrong", "99")),
    step(speak_slovene, "document.documentElement.lang === 'sl' && document.documentElement.dataset.ready"),
]


def play(page: Any) -> None:
    """Take all steps; nothing may go wrong on the way."""
    for number, (act, expression) in enumerate(STEPS, start=1):
        act(page)
        until(page, expression)
        assert page.locator("#trouble").is_hidden(), (number, page.inner_text("#trouble"))
    page.wait_for_timeout(500)
    assert page.troubles == []


@pytest.mark.parametrize("size", SIZES)
def test_forty_steps_without_trouble(scene: Scene, size: tuple[int, int]) -> None:
    assert len(STEPS) >= 40
    page = scene.open(size=size)
    play(page)
    assert page.inner_text("label[for=search]") == "Kraj ali koordinate"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.context.close()


# What is broken, by file: text and what stands in its place.
BREAKAGES = {
    "checksum of the empty tile": ("app.js", "AAUAAen63Ng", "AAUAAen73Ng"),
    "a control without its element": ("index.html", 'id="opacity"', 'id="opaque"'),
    "classes without a legend": ("maps.json", '"Limiting service"', '"Something else"'),
}


@pytest.mark.parametrize("what", sorted(BREAKAGES))
def test_the_steps_fail_on_a_broken_page(scene: Scene, tmp_path: Path, what: str) -> None:
    file, text, instead = BREAKAGES[what]
    shutil.copytree(scene.public / "web", tmp_path / "web")
    content = (tmp_path / "web" / file).read_text(encoding="utf-8")
    assert text in content
    (tmp_path / "web" / file).write_text(content.replace(text, instead), encoding="utf-8")
    timeout = pytest.importorskip("playwright.sync_api").TimeoutError
    with served(tmp_path, RangeHandler) as address, pytest.raises((AssertionError, timeout)):
        play(scene._replace(address=address).open())


# --- single abilities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SIZES[0], SIZES[2]])
def test_axe_finds_nothing(scene: Scene, size: tuple[int, int]) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (`make web`)")
    for fragment in (
        "",
        "#layer=max_eirp&channel=22&at=46.05/14.3&relief=1&vs=channel%3A21",
        "#channel=99&lang=sl",
    ):
        page = scene.open(fragment, size)
        page.wait_for_timeout(800)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate(
            "axe.run(document).then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"
        )
        assert found == [], fragment
        page.context.close()


def test_answer_is_the_list_of_channels_at_the_level(scene: Scene) -> None:
    """Ascending, each of them a row whose level is enough; what is copied and saved says the same."""
    page = scene.open("#device=fixed30&level=0&at=46.05/14.3")
    page.wait_for_selector("#rows tr")
    raw = {
        row.get_attribute("data-channel"): int(row.get_attribute("data-raw"))
        for row in page.locator("#rows tr").all()
    }
    wanted = [channel for channel, value in raw.items() if value >= 0]
    assert [text.split()[1] for text in page.locator("#answer button").all_inner_texts()] == wanted
    assert f"{len(wanted)} of 3" in page.inner_text("#answer-title")
    page.click("#copy")
    until(page, text_has("#shared", "copied"))
    copied = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert f"{len(wanted)} of 3 channels available at 0 dBm: {', '.join(wanted) or 'none'}" in copied[1]
    assert len([line for line in copied if "\t" in line]) == 4
    with page.expect_download() as waiting:
        page.click("#csv")
    table = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("device,latitude,longitude,channel,")
    assert [line.split(",")[3] for line in table[1:]] == list(raw)
    page.context.close()


def test_layer_is_downloaded_where_it_lies_beside_the_page(scene: Scene) -> None:
    page = scene.open("#layer=max_eirp&channel=22")
    with page.expect_download() as waiting:
        page.click("#raster")
    assert waiting.value.suggested_filename == "max_eirp_fixed30_ch22.tif"
    with served(scene.public / "web", RangeHandler) as address:
        alone = scene._replace(address=address).open("#layer=max_eirp&channel=22", page="")
        alone.click("#raster")
        until(alone, text_has("#shared", "do not lie beside this page"))
        alone.context.close()
    page.context.close()


def colours_of(page: Any, left: float, right: float) -> set[tuple[int, int, int]]:
    """Colours of a strip of the map's picture, between two fractions of its width."""
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB"))
    width = picture.shape[1]
    part = picture[150:-150, round(left * width) : round(right * width)].reshape(-1, 3)
    values, counts = np.unique(part, axis=0, return_counts=True)
    return {tuple(map(int, value)) for value, count in zip(values, counts, strict=True) if count > 200}


def test_border_parts_two_maps(scene: Scene) -> None:
    """Right of it the other level's colours, left of it those of the first."""
    first, other, both = (
        "#level=0&map=9/46/14.3",
        "#level=36&map=9/46/14.3",
        "#level=0&map=9/46/14.3&vs=level%3A36",
    )
    pictures = []
    for fragment in (first, other, both):
        page = scene.open(fragment)
        page.wait_for_timeout(1500)
        pictures.append([colours_of(page, 0.25, 0.4), colours_of(page, 0.6, 0.75)])
        page.context.close()
    assert pictures[0] != pictures[1]
    assert pictures[2] == [pictures[0][0], pictures[1][1]]


def test_relief_and_opacity_change_the_picture(scene: Scene) -> None:
    counts = {}
    for name, fragment in (("plain", ""), ("relief", "&relief=1"), ("faint", "&opacity=0")):
        page = scene.open("#level=0&map=9/46/14.3" + fragment)
        page.wait_for_timeout(1500)
        counts[name] = colours_of(page, 0.3, 0.7)
        page.context.close()
    assert len(counts["relief"]) > len(counts["plain"])
    assert len(counts["faint"]) < len(counts["plain"])


def test_printed_page_has_the_map_and_the_answer(scene: Scene, tmp_path: Path) -> None:
    page = scene.open("#level=0&at=46.05/14.3&map=9/46/14.3", (768, 1024))
    page.wait_for_timeout(1500)
    page.emulate_media(media="print")
    assert page.locator("#choose").is_hidden()
    assert page.locator("#answer-title").is_visible()
    assert page.locator("#legend").is_visible()
    assert len(colours_of(page, 0.2, 0.8)) > 3
    page.context.close()


def test_wrong_link_says_so_and_a_good_one_does_not(scene: Scene) -> None:
    page = scene.open("#layer=max_eirp&channel=99&device=nobody")
    assert "channel “99”, which is not there; shown is 21" in page.inner_text("#wrong")
    assert "device “nobody”, which is not there; shown is fixed30" in page.inner_text("#wrong")
    assert page.get_attribute("#wrong", "role") == "alert"
    page.check("#layer-limiting_service")
    assert page.locator("#wrong").is_hidden()
    good = scene.open(
        "#layer=max_eirp&device=fixed30&level=20&channel=22&map=9.00/46.00000/14.30000&at=46.00000/14.30000"
    )
    assert good.locator("#wrong").is_hidden()
    page.context.close()
    good.context.close()


def test_page_speaks_the_language_of_the_browser(scene: Scene) -> None:
    context = scene.chromium.new_context(locale="sl-SI", viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(scene.address + "web/#at=46.05/14.3")
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    assert page.get_attribute("html", "lang") == "sl"
    assert page.inner_text("#point-title") == "Kanali tukaj"
    assert "ni dovoljeno" in page.inner_text("#panel")
    context.close()


class _Tiles(BaseHTTPRequestHandler):
    """A server of grey tiles that remembers what it was asked for."""

    def __init__(self, asked: list[str], *given: Any) -> None:
        self.asked = asked
        super().__init__(*given)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        stream = io.BytesIO()
        Image.new("RGB", (256, 256), (120, 130, 140)).save(stream, "PNG")
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(stream.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_basemap_is_asked_for_when_it_is_ticked_and_credited(scene: Scene, tmp_path: Path) -> None:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Tiles, asked))
    Thread(target=server.serve_forever, daemon=True).start()
    tiles = f"http://127.0.0.1:{server.server_port}/{{z}}/{{x}}/{{y}}.png"
    more = f'publish: {{basemap: {{url: "{tiles}", attribution: "Map of somebody"}}}}\n'
    public = published(tmp_path, more)
    with served(public, RangeHandler) as address:
        page = scene._replace(address=address).open("#opacity=0&map=9/46/14.3")
        page.wait_for_timeout(1000)
        assert asked == []
        assert f"127.0.0.1:{server.server_port}" in page.inner_text("#base-from")
        page.check("#base")
        page.wait_for_timeout(1500)
        assert asked
        assert "Map of somebody" in page.inner_text("#stage")
        assert (120, 130, 140) in colours_of(page, 0.2, 0.8)
        assert page.troubles == []
        page.context.close()
    server.shutdown()
    server.server_close()


def test_another_run_is_read_from_its_own_folder(scene: Scene) -> None:
    """Both sides would look equal if the page asked for its own files twice."""
    page = scene.open("#layer=max_eirp&channel=22")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("location.hash = '#layer=max_eirp&channel=22&vs=run%3A../other/web'")
    until(page, text_has("#right-name", "../other/web"))
    until(page, "document.querySelector('#other').dataset.drawn === 'yes'")
    assert f"{scene.address}other/web/maps.json" in asked
    assert any(url.startswith(f"{scene.address}other/web/tiles/") for url in asked)
    page.evaluate("location.hash = '#layer=max_eirp&channel=22&vs=run%3A../nowhere'")
    until(page, text_has("#trouble", "../nowhere has no such layer"))
    page.fill("#run", "../other/web")
    page.press("#run", "Tab")
    until(page, "document.querySelector('#trouble').hidden")
    until(page, text_has("#right-name", "../other/web"))
