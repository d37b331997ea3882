"""Layers of a channel of which only the blocks are computed whose victims' maps have changed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_protection_maps import CHANNEL, HOME, SIZE, Case

from pipeline.availability import combine
from pipeline.dtt import channel_files, macro_tiles, victim_blocks
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.protection_maps import TileSettings, write_protection
from pipeline.grid import raster
from pipeline.grid.kept_records import parts_by_job
from pipeline.hashing import json_hash
from pipeline.services.base import ServiceContext

BLOCK_PX = 3
KEY = "code-settings-rows"


class Layers:
    """The job combine of a made-up territory with television alone, and which blocks it computes."""

    def __init__(self, folder, repository, monkeypatch):
        for module in (channel_files, macro_tiles, victim_blocks):
            monkeypatch.setattr(module, "STRIP_PX", BLOCK_PX)
        monkeypatch.setattr(combine, "COMBINE_BLOCK_PX", BLOCK_PX)
        self.case, self.computed = Case(folder, repository, 20_000.0, {"height_m": 10.0}), []
        out = {"status": "out_of_scope", "reason": "test"}
        services = {
            name: service if name == "dtt" else service.model_copy(update=out)
            for name, service in self.case.config.services.items()
        }
        self.config = self.case.config.model_copy(update={"services": services})
        limits_on = combine.limits_on

        def watched(services, rows, cols):
            self.computed.append((rows.start // BLOCK_PX, cols.start // BLOCK_PX))
            return limits_on(services, rows, cols)

        monkeypatch.setattr(combine, "limits_on", watched)
        self.protect()

    def protect(self) -> None:
        files = ChannelFiles(self.case.folder, CHANNEL)
        write_protection(self.config, files, TileSettings(1.5, side_px=6, basis="code"))

    def values(self, key: str = KEY) -> list[bytes]:
        """Values of the four layers of the one device; ``computed`` is what this took."""
        self.computed.clear()
        context = ServiceContext(self.config, self.case.folder, self.case.grid, (CHANNEL,))
        devices, device = self.config.devices, self.config.devices[0]
        tags = {device.id: {"hash": "0"}}
        combine.write_layers(context, devices, CHANNEL, self.case.surface, tags, threads=2, key=key)
        paths = combine._paths_of(self.config, device, CHANNEL)
        return [raster.read(self.case.folder / path).values.tobytes() for path in paths]

    def blocks_with_land(self) -> int:
        land = (self.case.surface == HOME).reshape(SIZE // BLOCK_PX, BLOCK_PX, -1, BLOCK_PX)
        return int(land.any(axis=(1, 3)).sum())


@pytest.fixture
def layers(tmp_path, repository, monkeypatch):
    return Layers(tmp_path, repository, monkeypatch)


def test_only_blocks_within_reach_of_changed_victims_are_computed_with_the_values_of_all(layers):
    first, whole = layers.values(), layers.blocks_with_land()
    assert len(layers.computed) == whole
    assert layers.values() == first
    assert layers.computed == []
    layers.case.served[:3, :3] = 0
    layers.case.write()
    layers.protect()
    changed = layers.values()
    some = set(layers.computed)
    assert 0 < len(some) < whole / 2
    assert changed != first
    counts = parts_by_job(layers.case.folder)["limits"]
    assert list(counts.values()) == [{"computed": len(some), "copied": whole - len(some)}]
    assert changed == layers.values(key=""), "as of a run that copies nothing"
    assert len(layers.computed) == whole


@pytest.mark.parametrize("change", ["key", "territory", "layer", "record", "form", "protection"])
def test_all_is_computed_where_anything_else_has_changed_or_is_damaged(layers, change):
    first, whole, key, folder = layers.values(), layers.blocks_with_land(), KEY, layers.case.folder
    if change == "key":
        key = "code-settings-others"
    elif change == "territory":
        (folder / "territory" / "neighbours.tif").write_bytes(b"other borders")
    elif change == "layer":
        (kept,) = (folder / ".kept" / "limits").glob("max_eirp*.tif")
        damaged = bytearray(kept.read_bytes())
        damaged[-1] ^= 1
        kept.unlink()
        kept.write_bytes(damaged)
    elif change == "record":
        (record,) = (folder / ".kept" / "limits").glob("*.json")
        record.write_text(record.read_text().replace('"copied": 0', '"copied": 1'))
    elif change == "form":  # of an earlier version: one digest for each part
        (record,) = (folder / ".kept" / "protection").glob("*.json")
        content = json.loads(record.read_text())
        del content["sum"]
        content["facts"] = {name: digests[0] for name, digests in content["facts"].items()}
        record.write_text(json.dumps(content | {"sum": json_hash(content)}))
    else:  # maps of which nobody knows what they follow from
        (record,) = (folder / ".kept" / "protection").glob("*.json")
        record.unlink()
    assert layers.values(key) == first
    assert len(layers.computed) == whole


def test_maps_without_a_record_are_one_part(layers):
    """As those of methods that do not search; the next run copies as long as the maps are the same."""
    (record,) = (layers.case.folder / ".kept" / "protection").glob("*.json")
    record.unlink()
    first = layers.values()
    assert layers.values() == first
    assert layers.computed == []
    labels = ChannelFiles(layers.case.folder, CHANNEL).protection(layers.config.devices[0])[1]
    data = raster.read(labels)
    data.values[:] = np.where(data.values > 0, 0, data.values)
    raster.write(labels, data, tags={}, publish=False)
    assert layers.values() != first
    assert len(layers.computed) == layers.blocks_with_land()


def test_a_change_that_comes_to_nothing_ends_in_the_maps_of_victims(layers):
    """An antenna turned by a little: where no limit follows from its side lobes, no layer is computed."""
    first, case = layers.values(), layers.case
    for place in np.argwhere(case.served == 1):
        case.azimuth[*place] += 0.01
        case.write()
        layers.protect()
        (searched,) = parts_by_job(case.folder)["protection"].values()
        before, first = first, layers.values()
        if searched["computed"] and first == before:
            break
    else:
        pytest.fail("each antenna turns a limit")
    assert layers.computed == []
    assert layers.values(key="") == first, "as of a run that copies nothing"
