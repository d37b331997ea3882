// The map: land and borders below, one layer of pictures, the outline of the chosen pixel, names of places.
import { addProtocol, Map as MapView, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
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
 * Draws the map into an element and returns {show(archive), mark(ring), view(), goTo(view)}.
 * Throws where the browser cannot draw (no WebGL); `on.read({lat, lon})` and `on.moved()` tell what the reader does.
 */
export function makeMap(element, maps, boundaries, files, on) {
  const worker = new Blob([workerText], { type: "text/javascript" });
  // The ending tells MapLibre that it is no module: a browser does not start those from memory.
  setWorkerUrl(`${URL.createObjectURL(worker)}#worker.cjs`);
  addProtocol("layer", async ({ url }, { signal }) => {
    const [, name, z, x, y] = url.match(/^layer:\/\/(.+)\/(\d+)\/(\d+)\/(\d+)$/);
    const tile = await files.archive(name, maps.files).getZxy(Number(z), Number(x), Number(y), signal);
    return { data: tile ? tile.data : NO_TILE.slice().buffer };
  });
  const map = new MapView({
    container: element,
    style: styleOf(maps, boundaries),
    bounds: maps.box_deg,
    fitBoundsOptions: { padding: 20 },
    maxBounds: maps.view_deg,
    maxZoom: maps.zooms[1] + FINER_ZOOMS,
    attributionControl: { customAttribution: maps.attribution },
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    rollEnabled: false,
    fadeDuration: 0,
    locale: {
      "Map.Title": `Map of ${maps.title}. Arrow keys move it, plus and minus zoom, Enter reads the numbers in the middle.`,
    },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
  map.on("click", (event) => on.read({ lat: event.lngLat.lat, lon: event.lngLat.lng }));
  map.on("moveend", () => on.moved());
  map.on("error", (event) => on.failed(event.error));
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const { lat, lng } = map.getCenter();
    on.read({ lat, lon: lng });
  });
  return handle(map);
}

function handle(map) {
  const ready = new Promise((resolve) => map.once("load", resolve));
  return {
    ready,
    show: async (archive) => {
      await ready;
      map.getSource("layer").setTiles([`layer://${archive}/{z}/{x}/{y}`]);
      map.setLayoutProperty("layer", "visibility", "visible");
    },
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

function styleOf(maps, boundaries) {
  const { base } = maps;
  const kind = (name) => ["==", ["get", "kind"], name];
  const crossing = maps.box_deg[2] > 180;
  return {
    version: 8,
    sources: {
      below: { type: "geojson", data: boundaries, attribution: "" },
      layer: {
        type: "raster",
        tiles: ["layer://none/{z}/{x}/{y}"],
        tileSize: maps.tile_px,
        minzoom: maps.zooms[0],
        maxzoom: maps.zooms[1],
        ...(crossing ? {} : { bounds: maps.box_deg }),
      },
      pixel: { type: "geojson", data: outline(null) },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": base.sea } },
      { id: "land", type: "fill", source: "below", filter: kind("land"), paint: { "fill-color": base.land } },
      { id: "territory", type: "fill", source: "below", filter: kind("territory"), paint: { "fill-color": base.territory } },
      {
        id: "layer",
        type: "raster",
        source: "layer",
        layout: { visibility: "none" },
        paint: { "raster-resampling": "nearest", "raster-fade-duration": 0 },
      },
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
