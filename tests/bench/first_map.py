"""The web map from the request of its page to the first layer drawn, in a headless Chromium."""

from __future__ import annotations

import io
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from PIL import Image

from tests.bench.common import Skipped
from tests.publish.web.browser import RangeHandler, browser, served
from tests.publish.web.made_up import published

# Two colours of the scale of maps.
_OF_MAPS = {(0x44, 0x01, 0x54), (0x46, 0x32, 0x7E)}


def measure() -> dict[str, float]:
    """Median of five, each in a browser context without anything kept."""
    try:
        with (
            TemporaryDirectory() as folder,
            browser() as chromium,
            served(published(Path(folder)), RangeHandler) as address,
        ):
            return {"web_first_map_s": median(first_map_s(chromium, address) for _ in range(5))}
    except pytest.skip.Exception as reason:
        raise Skipped(str(reason)) from None


def first_map_s(chromium: Any, address: str) -> float:
    """Open the page until a layer is drawn; how long that took, in s."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    started_s = time.perf_counter()
    page.goto(address + "web/")
    page.wait_for_selector("#map[data-drawn]", timeout=30_000)
    took_s = time.perf_counter() - started_s
    picture = Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB")
    row = {picture.getpixel((x, picture.height // 2)) for x in range(0, picture.width, 5)}
    assert row & _OF_MAPS, "no colours on the map"
    context.close()
    return took_s
