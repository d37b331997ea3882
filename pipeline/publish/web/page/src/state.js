// What is shown, and how it stands in the address: a link brings back the same view.

const PLACES = 5; // decimals of a degree: 1 m
const MOST_ZOOM = 24;

/** Shows the first device's channels at its middle level. */
export function firstState(maps) {
  const device = maps.devices[0];
  return {
    layer: "available_channels",
    device: device.id,
    level: device.levels_dbm[Math.floor(device.levels_dbm.length / 2)] ?? null,
    channel: device.channels[0].channel,
    mode: device.modes?.[0]?.slug ?? null,
    view: null,
    at: null,
    opacity: 100,
    relief: false,
    base: false,
    vs: "",
    lang: "",
  };
}

/** The state that an address (the part after #) asks for; what it does not say, or cannot be, as in `base`. */
export function stateOf(hash, maps, base) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const device = maps.devices.find((entry) => entry.id === given.get("device")) ?? deviceOf(maps, base);
  const [zoom, ...middle] = numbers(given.get("map"), 3) ?? [];
  const seen = zoom >= 0 && zoom <= MOST_ZOOM ? point(middle) : null;
  const asked = {
    layer: Object.hasOwn(maps.families, given.get("layer")) ? given.get("layer") : base.layer,
    device: device.id,
    level: given.has("level") ? Number(given.get("level")) : base.level,
    channel: given.get("channel") ?? base.channel,
    mode: given.get("mode") ?? base.mode,
    view: seen ? { zoom, ...seen } : base.view,
    at: point(numbers(given.get("at"), 2)),
    opacity: percent(given.get("opacity")) ?? base.opacity,
    relief: given.has("relief") ? given.get("relief") === "1" : base.relief,
    base: given.has("base") ? given.get("base") === "1" : base.base,
    vs: given.get("vs") ?? "",
    lang: Object.hasOwn(maps.languages ?? {}, given.get("lang")) || given.get("lang") === "en" ? given.get("lang") : base.lang,
  };
  return fitted(asked, maps);
}

/** The address of a state. */
export function hashOf(state) {
  const parts = [`layer=${state.layer}`, `device=${encodeURIComponent(state.device)}`];
  if (state.level !== null) parts.push(`level=${state.level}`);
  parts.push(`channel=${state.channel}`);
  if (state.mode !== null) parts.push(`mode=${encodeURIComponent(state.mode)}`);
  if (state.view) {
    const { zoom, lat, lon } = state.view;
    parts.push(`map=${zoom.toFixed(2)}/${lat.toFixed(PLACES)}/${lon.toFixed(PLACES)}`);
  }
  if (state.at) parts.push(`at=${state.at.lat.toFixed(PLACES)}/${state.at.lon.toFixed(PLACES)}`);
  if (state.opacity !== 100) parts.push(`opacity=${state.opacity}`);
  for (const key of ["relief", "base"]) if (state[key]) parts.push(`${key}=1`);
  if (state.vs) parts.push(`vs=${encodeURIComponent(state.vs)}`);
  if (state.lang) parts.push(`lang=${state.lang}`);
  return `#${parts.join("&")}`;
}

/** The published raster behind an archive's pictures, as seen from the page. */
export function rasterOf(maps, archive) {
  return `../${maps.rasters[archive]}`;
}

/** Whether a layer has pictures by channel. */
export const byChannel = (layer) => layer !== "available_channels" && layer !== "reach";

/** A state whose level, channel (a number, or the name of a bond), mode of reach and layer the device has. */
export function fitted(state, maps) {
  const device = deviceOf(maps, state);
  const known = device.channels.find((entry) => String(entry.channel) === String(state.channel));
  const levels = device.levels_dbm;
  const modes = (device.modes ?? []).map(({ slug }) => slug);
  const missing = { available_channels: levels.length === 0, reach: modes.length === 0 };
  const layer = missing[state.layer] === true ? "max_eirp" : state.layer;
  return {
    ...state,
    layer,
    level: levels.includes(state.level) ? state.level : (levels[Math.floor(levels.length / 2)] ?? null),
    channel: (known ?? device.channels[0]).channel,
    mode: modes.includes(state.mode) ? state.mode : (modes[0] ?? null),
  };
}

/** The entry of the state's device. */
export function deviceOf(maps, state) {
  return maps.devices.find((device) => device.id === state.device) ?? maps.devices[0];
}

/** The archive of the pictures that a state shows. */
export function archiveOf(state) {
  if (state.layer === "available_channels") {
    return `tiles/available_channels_${state.device}_${state.level}dbm.pmtiles`;
  }
  if (state.layer === "reach") return `tiles/reach_${state.device}_${state.mode}.pmtiles`;
  return `tiles/${state.layer}_${state.device}_ch${twoDigits(state.channel)}.pmtiles`;
}

/** A channel, or a bond such as 2-3, as it stands in names of files. */
const twoDigits = (channel) =>
  String(channel)
    .split("-")
    .map((number) => number.padStart(2, "0"))
    .join("-");

/** {lat, lon} of typed or linked numbers, or null unless they are a place on earth. */
export function point(pair) {
  if (!pair) return null;
  const [lat, lon] = pair;
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 360 ? { lat, lon } : null;
}

function numbers(text, count) {
  const found = (text ?? "").split("/").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return found.length === count && found.every(Number.isFinite) ? found : null;
}

/** A whole number of 0 to 100, or null. */
function percent(text) {
  const value = /^\d{1,3}$/.test(text ?? "") ? Number(text) : NaN;
  return value <= 100 ? value : null;
}
