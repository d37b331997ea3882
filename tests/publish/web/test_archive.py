"""Archives of tiles, read by the reader of the format's authors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pmtiles.reader import MemorySource, Reader
from pmtiles.tile import Compression, TileType

from pipeline.publish.web.web_tiles import write_archive

BOX_DEG = (177.0, -20.0, 182.0, -16.0)
KIND = {"tile_type": TileType.PNG, "tile_compression": Compression.NONE}


def write(path: Path, tiles: dict[tuple[int, int, int], bytes]) -> Reader:
    write_archive(
        path,
        tiles,
        box_deg=BOX_DEG,
        tile_type=TileType.PNG,
        compression=Compression.NONE,
        metadata={"name": "x"},
    )
    return Reader(MemorySource(path.read_bytes()))


def test_tiles_beyond_180_degrees_are_found_at_their_place(tmp_path: Path) -> None:
    reader = write(
        tmp_path / "a/x.pmtiles", {(6, 63, 35): b"west", (6, 64, 35): b"east", (5, 31, 17): b"both"}
    )
    assert reader.get(6, 63, 35) == b"west"
    assert reader.get(6, 0, 35) == b"east"
    assert reader.get(5, 31, 17) == b"both"
    assert reader.get(5, 1, 1) is None
    header = reader.header()
    assert (header["min_zoom"], header["max_zoom"]) == (5, 6)
    assert header["clustered"]
    assert {key: header[key] for key in KIND} == KIND


def test_order_of_the_tiles_does_not_matter(tmp_path: Path) -> None:
    tiles = {(4, x, y): f"{x} {y}".encode() for x in range(16) for y in range(16)}
    write(tmp_path / "one.pmtiles", tiles)
    write(tmp_path / "other.pmtiles", dict(reversed(tiles.items())))
    assert (tmp_path / "one.pmtiles").read_bytes() == (tmp_path / "other.pmtiles").read_bytes()


def test_failure_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "x.pmtiles"
    write(path, {(0, 0, 0): b"old"})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write(path, {(0, 0, 0): None})  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.pmtiles"]
