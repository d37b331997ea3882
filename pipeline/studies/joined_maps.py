"""``channelmaps join``: published runs of parts of a territory as one folder that shows them as one map.

public/<layer>/<part>.tif    the published files, hard-linked (copied where the disk has no such links)
public/<layer>.vrt           all of them on one grid
public/<name>_public.qgs     the project of QGIS; public/web/ the web map; stac/ the catalogue
joined.json                  the parts, their common period, what a reader must know; written last

Published files are never modified, so that a link costs no disk, stays when the run is removed, and the
folder can be served alone. Nothing is computed: what is not evaluated stays so, and where there is no part is
nodata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.files import check_output_folder, copy_whole, json_bytes, keep_aside, kind_of_start, write_whole
from pipeline.grid.layer_files import channel_bands, layer_file
from pipeline.grid.mosaics import MosaicPiece, mosaic_text
from pipeline.grid.raster import Layout
from pipeline.grid.stacks import build_vrt
from pipeline.hashing import json_hash
from pipeline.plan.published_layers import LayerFile, side_file
from pipeline.plan.run_files import project_to_pass_on
from pipeline.publish.release import MANIFEST, READ_ONLY
from pipeline.publish.side_files import tags_of
from pipeline.radio.allocations import is_partial
from pipeline.studies.joined_runs import JoinedPart, JoinedRuns, check_values, family_of, read_joined
from pipeline.studies.joined_views import tile_file, virtual_file, write_catalogue, write_project
from pipeline.studies.joined_web import step_of_web, write_joined_web
from pipeline.studies.territory_parts import refuse_filled

SUMMARY = "joined.json"
_FORMAT = "channelmaps-joined/1"
_SUMMARY_FILE = kind_of_start("a list of joined parts", rb'\{\s*"format": "channelmaps-joined')
# Tags that stand for the values of a file.
_HASH = "hash"
_Json = dict[str, Any]


def join_command(folders: Sequence[Path], out: Path, *, threads: int = 1) -> None:
    """Write the folder of the joined maps, and print what it holds."""
    inputs = [path for folder in folders for path in (folder, folder / MANIFEST)]
    check_output_folder("--out", out, {SUMMARY: _SUMMARY_FILE}, inputs)
    refuse_filled("--out", out)
    joined = read_joined(folders, out)
    check_values(joined)
    labels = {layer.file: _labels_of(joined, layer) for layer in joined.layers}
    for layer in joined.layers:
        _write_layer(joined, layer, labels[layer.file], out)
    _write_stacks(joined, out)
    write_project(joined, out)
    write_catalogue(joined, out)
    write_joined_web(joined.plan.config, joined.grid, out, threads=threads)
    facts = _summary_of(joined)
    write_whole(out / SUMMARY, json_bytes(facts))
    print("\n".join(_lines(joined, facts, out)))


def _labels_of(joined: JoinedRuns, layer: LayerFile) -> Layout:
    """Labels of a joined layer: those of the parts, which must be the same, and tags of both."""
    layouts = [part.layout(layer) for part in joined.parts]
    first = layouts[0]
    for part, layout in zip(joined.parts, layouts, strict=True):
        for field in ("band_names", "units", "dtype", "scale_factor", "nodata", "categories", "long_name"):
            if (value := getattr(layout, field)) != (wanted := getattr(first, field)):
                raise InputError(
                    "part has other labels",
                    file=part.run.folder / layer.file,
                    field=field,
                    value=value,
                    allowed=str(wanted),
                )
    names = dict.fromkeys(name for layout in layouts for name in layout.tags)
    tags = {name: _joined_tag(name, [layout.tags.get(name, "") for layout in layouts]) for name in names}
    return first._replace(
        tags=tags | tags_of(joined.plan, first.long_name, of_device="device" in layer.fields)
    )


def _joined_tag(name: str, texts: Sequence[str]) -> str:
    """One text where all parts have it, else every text once."""
    different = list(dict.fromkeys(texts))
    if len(different) == 1:
        return different[0]
    return json_hash(different) if name == _HASH else " | ".join(filter(None, different))


def _write_layer(joined: JoinedRuns, layer: LayerFile, labels: Layout, out: Path) -> None:
    """The files of the parts, and the virtual raster that shows them."""
    pieces = []
    for part in joined.parts:
        tile = out / tile_file(layer, part)
        _link(part.run.folder / layer.file, tile)
        beside = part.run.folder / side_file(layer.file)
        if beside.is_file():
            _link(beside, tile.with_name(side_file(tile.name)))
        pieces.append(MosaicPiece(tile, part.grid, part.rows, part.cols))
    path = out / virtual_file(layer.file)
    write_whole(path, mosaic_text(pieces, joined.grid, labels, path.parent))


def _link(source: Path, target: Path) -> None:
    """A further name of a published file, or a copy of it."""
    with suppress(OSError):
        keep_aside({target: source.resolve()})
        return
    copy_whole(source, target, mode=READ_ONLY)


def _write_stacks(joined: JoinedRuns, out: Path) -> None:
    """All channels of a device as the bands of one raster, as a run has them."""
    config = joined.plan.config
    partial, known = is_partial(config), {layer.file for layer in joined.layers}
    for device in config.devices:
        channels = config.channels_of(device)
        files = [layer_file("max_eirp", device=device.id, channel=at, partial=partial) for at in channels]
        if set(files) <= known:
            stack = out / layer_file("max_eirp_stack", device=device.id, partial=partial)
            paths = [out / virtual_file(file) for file in files]
            write_whole(stack, build_vrt(paths, channel_bands("max_eirp_stack", channels)))


# --- the summary --------------------------------------------------------------------------------------------


def _summary_of(joined: JoinedRuns) -> _Json:
    """What ``joined.json`` says, from the public manifests alone."""
    manifests = [part.run.manifest for part in joined.parts]
    config, grid = joined.plan.config, joined.grid
    return {
        "format": _FORMAT,
        "name": config.name,
        "title": config.title,
        "valid_utc": _common_period(manifests),
        "notice": _texts(manifests, "notice"),
        "product": _texts(manifests, "product"),
        "attribution": config.attribution,
        "licence": config.licence,
        "grid": grid._asdict(),
        "parts": [_part_entry(part) for part in joined.parts],
        "layers": {
            virtual_file(layer.file): [tile_file(layer, part) for part in joined.parts]
            for layer in joined.layers
        },
        "web_map_step_px": step_of_web(joined.grid),
        "service_bits": manifests[0].get("service_bits"),
        "notes": _distinct(manifests, "notes"),
        "unverified": _distinct(manifests, "unverified"),
        "code": manifests[0]["software"]["code"],
    }


def _part_entry(part: JoinedPart) -> _Json:
    """A run, where it is in the grid of its files, and what of it is not evaluated."""
    manifest = part.run.manifest
    keys = ("territory", "title", "run_id", "computed_at", "valid", "valid_utc", "not_evaluated_area")
    box = manifest["config"]["settings"]["territory"].get("bbox_deg")
    return {key: manifest.get(key) for key in keys} | {"bbox_deg": box}


def _common_period(manifests: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The period in which the answers of all parts may be used; None if there is no such time."""
    periods = [manifest["valid_utc"] for manifest in manifests]
    start, stop = max(p["startTime"] for p in periods), min(p["stopTime"] for p in periods)
    return {"startTime": start, "stopTime": stop} if start < stop else None


def _texts(manifests: Sequence[Mapping[str, Any]], key: str) -> str:
    return " | ".join(filter(None, _distinct(manifests, key, listed=False)))


def _distinct(manifests: Sequence[Mapping[str, Any]], key: str, *, listed: bool = True) -> list[Any]:
    """Entries of a member of all manifests, each once, in their order."""
    found: list[Any] = []
    for manifest in manifests:
        value = manifest.get(key) or ([] if listed else "")
        found += [entry for entry in (value if listed else [value]) if entry not in found]
    return found


def _lines(joined: JoinedRuns, facts: Mapping[str, Any], out: Path) -> Iterator[str]:
    """What a reader finds where."""
    grid, period = joined.grid, facts["valid_utc"]
    name, size = joined.plan.config.name, f"{grid.width} x {grid.height} pixels"
    yield f"{len(joined.parts)} parts of {name}, {size}: {out}"
    yield f"  layers        {len(joined.layers)} in {out}/public, such as {family_of(joined.layers[0])}.vrt"
    yield f"  QGIS          {out / project_to_pass_on(joined.plan)}"
    step = facts["web_map_step_px"]
    thinned = "" if step == 1 else f", one of {step} x {step} pixels"
    yield f"  web map       {out}/public/web/index.html{thinned}"
    if period:
        yield f"  valid         {period['startTime']} to {period['stopTime']}"
    else:
        yield "  valid         never all at once: run the parts again, which renews their periods"
