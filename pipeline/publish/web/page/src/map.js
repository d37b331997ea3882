// The map: land and borders below, one layer of pictures, relief, the outline of the chosen pixel, names of places.
import { addProtocol, Map as MapView, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import { say } from "./texts.js";
import workerText from "worker:maplibre-gl/dist/maplibre-gl-worker.mjs";

const FINER_ZOOMS = 6; // beyond the finest pictures
const LARGE_PLACES = 150; // smaller ones have room only where the pictures are at their finest
const FONT = ["sans-serif"];
// One transparent pixel, where an archive has no tile.
const NO_TILE = Uint8Array.from(
  atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="),
  (character) => character.charCodeAt(0),
);

/**
 * Draws the map into an element and returns {show(archive, state), mark(ring), view(), goTo(view), ...}.
 * Throws where the browser cannot draw (no WebGL); `on.read({lat, lon})` and `on.moved()` tell what the reader does.
 * `name` of its pictures' protocol; a map that `follows` another one is moved by the page alone.
 */
export function makeMap(element, maps, boundaries, files, on, { name = "layer", follows = false } = {}) {
  startWorker();
  addProtocol(name, async ({ url }, { signal }) => {
    const [, archive, z, x, y] = url.match(/^\w+:\/\/(.+)\/(\d+)\/(\d+)\/(\d+)$/);
    const tile = await files.archive(archive, maps.files).getZxy(Number(z), Number(x), Number(y), signal);
    return { data: tile ? tile.data : NO_TILE.slice().buffer };
  });
  const map = new MapView({
    container: element,
    style: styleOf(maps, boundaries, name),
    bounds: maps.box_deg,
    fitBoundsOptions: { padding: 20 },
    maxBounds: follows ? undefined : maps.view_deg,
    maxZoom: maps.zooms[1] + FINER_ZOOMS,
    interactive: !follows,
    // Else a printed page has no map.
    canvasContextAttributes: { preserveDrawingBuffer: true },
    attributionControl: follows ? false : { customAttribution: maps.attribution },
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    rollEnabled: false,
    fadeDuration: 0,
    locale: {
      "Map.Title": say("Map of {title}. Arrow keys move it, plus and minus zoom, Enter reads the numbers in the middle.", maps),
      "NavigationControl.ZoomIn": say("Zoom in"),
      "NavigationControl.ZoomOut": say("Zoom out"),
    },
  });
  map.on("error", (event) => on.failed(event.error));
  map.once("idle", () => (element.dataset.drawn = "yes"));
  if (!follows) listen(map, on);
  return handle(map, name);
}

let started = false;

function startWorker() {
  if (started) return;
  started = true;
  const worker = new Blob([workerText], { type: "text/javascript" });
  // The ending tells MapLibre that it is no module: a browser does not start those from memory.
  setWorkerUrl(`${URL.createObjectURL(worker)}#worker.cjs`);
}

/** Controls, and what the reader does with the map. */
function listen(map, on) {
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
  map.on("click", (event) => on.read({ lat: event.lngLat.lat, lon: event.lngLat.lng }));
  map.on("moveend", () => on.moved());
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const { lat, lng } = map.getCenter();
    on.read({ lat, lon: lng });
  });
}

function handle(map, name) {
  const ready = new Promise((resolve) => map.once("load", resolve));
  let shown = null;
  return {
    ready,
    show: async (archive, { opacity, relief, base }) => {
      await ready;
      if (shown !== archive) map.getSource("layer").setTiles([tilesOf(name, archive)]);
      shown = archive;
      map.setLayoutProperty("layer", "visibility", "visible");
      map.setPaintProperty("layer", "raster-opacity", opacity / 100);
      for (const [id, wanted] of Object.entries({ relief, base })) {
        if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", wanted ? "visible" : "none");
      }
    },
    onMove: (follow) => map.on("move", follow),
    remove: () => map.remove(),
    mark: async (ring) => {
      await ready;
      map.getSource("pixel").setData(outline(ring));
    },
    view: () => ({ zoom: map.getZoom(), lat: map.getCenter().lat, lon: map.getCenter().lng }),
    goTo: ({ zoom, lat, lon }) => map.jumpTo({ zoom, center: [lon, lat] }),
    centre: ({ lat, lon }) => map.jumpTo({ center: [lon, lat] }),
    holds: ({ lat, lon }) => map.getBounds().contains([lon, lat]),
    focus: () => map.getCanvas().focus(),
  };
}

/** A pixel as its edges and, as it is smaller than a dot on most maps, a ring around it. */
function outline(ring) {
  if (!ring) return { type: "FeatureCollection", features: [] };
  const middle = [0, 1].map((axis) => (ring[0][axis] + ring[2][axis]) / 2);
  const shapes = [{ type: "LineString", coordinates: ring }, { type: "Point", coordinates: middle }];
  const features = shapes.map((geometry) => ({ type: "Feature", properties: {}, geometry }));
  return { type: "FeatureCollection", features };
}

const tilesOf = (name, archive) => `${name}://${archive}/{z}/{x}/{y}`;

/** Pictures of the run: of a layer, or of the relief. */
function picturesOf(maps, tiles) {
  const crossing = maps.box_deg[2] > 180;
  const [minzoom, maxzoom] = maps.zooms;
  const box = crossing ? {} : { bounds: maps.box_deg };
  return { type: "raster", tiles: [tiles], tileSize: maps.tile_px, minzoom, maxzoom, ...box };
}

/** A layer of pictures, hidden at first. */
function pictures(id, resampling = "nearest") {
  const paint = { "raster-resampling": resampling, "raster-fade-duration": 0 };
  return { id, type: "raster", source: id, layout: { visibility: "none" }, paint };
}

/** Sources that not every run has: the relief of its terrain, a map of somebody else's. */
function moreSources(maps, name) {
  const found = {};
  if (maps.relief) found.relief = picturesOf(maps, tilesOf(name, maps.relief));
  if (maps.basemap) {
    const { url, attribution, max_zoom: maxzoom, tile_px: tileSize } = maps.basemap;
    found.base = { type: "raster", tiles: [url], tileSize, maxzoom, attribution };
  }
  return found;
}

function styleOf(maps, boundaries, name) {
  const { base } = maps;
  const kind = (name) => ["==", ["get", "kind"], name];
  return {
    version: 8,
    sources: {
      below: { type: "geojson", data: boundaries, attribution: "" },
      layer: picturesOf(maps, tilesOf(name, "none")),
      ...moreSources(maps, name),
      pixel: { type: "geojson", data: outline(null) },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": base.sea } },
      { id: "land", type: "fill", source: "below", filter: kind("land"), paint: { "fill-color": base.land } },
      { id: "territory", type: "fill", source: "below", filter: kind("territory"), paint: { "fill-color": base.territory } },
      ...(maps.basemap ? [pictures("base", "linear")] : []),
      pictures("layer"),
      ...(maps.relief ? [pictures("relief", "linear")] : []),
      { id: "border", type: "line", source: "below", filter: kind("border"), paint: { "line-color": base.border, "line-width": 0.8 } },
      { id: "home", type: "line", source: "below", filter: kind("home_border"), paint: { "line-color": base.home_border, "line-width": 1.6 } },
      {
        id: "places",
        type: "symbol",
        source: "below",
        filter: ["all", kind("place"), ["any", ["<", ["get", "rank"], LARGE_PLACES], [">=", ["zoom"], maps.zooms[1]]]],
        layout: {
          "text-field": ["get", "name"],
          "text-font": FONT,
          "text-size": ["interpolate", ["linear"], ["get", "rank"], 0, 15, 40, 12],
          "symbol-sort-key": ["get", "rank"],
          "text-padding": 8,
        },
        paint: { "text-color": "#111", "text-halo-color": "rgba(255,255,255,0.9)", "text-halo-width": 1.6 },
      },
      {
        id: "pixel-ring",
        type: "circle",
        source: "pixel",
        filter: ["==", ["geometry-type"], "Point"],
        maxzoom: maps.zooms[1] + 2,
        paint: {
          "circle-radius": 9,
          "circle-opacity": 0,
          "circle-stroke-color": base.pixel,
          "circle-stroke-width": 3,
        },
      },
      { id: "pixel-room", type: "line", source: "pixel", paint: { "line-color": "#ffffff", "line-width": 6 } },
      { id: "pixel", type: "line", source: "pixel", paint: { "line-color": base.pixel, "line-width": 3 } },
    ],
  };
}
