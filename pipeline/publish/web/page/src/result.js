// The numbers of a pixel: all channels with their maximum e.i.r.p. and what limits it.
import { availableAt, blockOf, classOf, levelText, readPixel, statusOf } from "./numbers.js";
import { byId, make, swatch } from "./panel.js";
import { pixelOf } from "./place.js";
import { deviceOf } from "./state.js";

const WORDS = { not_permitted: "not permitted", not_evaluated: "not evaluated", outside: "outside" };

/** {pixel, values} at a place; values null outside the territory. */
export async function readPlace(maps, files, deviceId, { lat, lon }) {
  const pixel = pixelOf(maps.grid, lon, lat);
  if (!pixel) return { pixel: null, values: null };
  const { zoom, block_px: blockPx } = maps.numbers;
  const block = blockOf(pixel, blockPx);
  const name = `numbers/${deviceId}.pmtiles`;
  const tile = await files.archive(name, maps.files).getZxy(zoom, block.x, block.y);
  if (!tile) return { pixel, values: null };
  const channels = deviceOf(maps, { device: deviceId }).channels.length;
  const values = readPixel(new Uint8Array(tile.data), channels, blockPx, block.row, block.col);
  return { pixel, values: values[0].raw === -32768 ? null : values };
}

/** Fills the table and the line on the map; `pick(channel)` when the reader asks to see a channel. */
export function showResult(maps, state, { pixel, values }, pick) {
  const device = deviceOf(maps, state);
  const where = `${degrees(state.at.lat, "N", "S")}, ${degrees(state.at.lon, "E", "W")}`;
  byId("lat").value = state.at.lat.toFixed(5);
  byId("lon").value = state.at.lon.toFixed(5);
  byId("result").hidden = false;
  byId("all").hidden = !values;
  const lines = values ? device.channels.map((entry, i) => ({ ...entry, ...values[i] })) : [];
  byId("rows").replaceChildren(...lines.map((line) => row(maps, state, line, pick)));
  byId("result").classList.toggle("outside", !values);
  const summary = values ? summaryOf(device, state, lines) : "Outside the territory: nothing was computed here.";
  byId("summary").textContent = summary;
  byId("caption").textContent = values
    ? `${device.id} at ${where}; pixel in row ${pixel.row}, column ${pixel.col} of the rasters. In ${device.bandwidth_mhz} MHz, rounded down.`
    : where;
  byId("readout").textContent = `${where}: ${values ? readoutOf(maps, state, lines, summary) : summary}`;
}

/** Empties the table. */
export function clearResult() {
  byId("result").hidden = true;
  byId("all").hidden = true;
  byId("rows").replaceChildren();
  byId("readout").textContent = "Click or tap the map to read the channels at a place.";
}

function row(maps, state, line, pick) {
  const status = statusOf(line.raw);
  const entry = maps.families.max_eirp.classes[classOf(maps.families.max_eirp.classes, line.raw)];
  const button = make("button", { type: "button", ariaLabel: `Show channel ${line.channel} on the map` }, String(line.channel));
  button.addEventListener("click", () => pick(line.channel));
  const level = make("td", { className: status }, swatch(entry), status === "permitted" ? levelText(line.raw) : WORDS[status]);
  const shown = state.layer !== "available_channels" && state.channel === line.channel;
  const found = make("tr", { className: shown ? "shown" : "" }, make("th", { scope: "row" }, button),
    make("td", {}, String(line.centre_mhz)), level, make("td", {}, maps.services[line.service] ?? String(line.service)));
  found.dataset.channel = line.channel;
  found.dataset.raw = line.raw;
  found.dataset.service = line.service;
  return found;
}

function summaryOf(device, state, lines) {
  const at = (level) => `${lines.filter((line) => availableAt(line.raw, level)).length} at ${level} dBm`;
  const open = lines.filter((line) => statusOf(line.raw) === "not_evaluated").length;
  const counts = device.levels_dbm.map(at).join(", ");
  return `Channels available, of ${lines.length}: ${counts || "no level published"}.${open ? ` Not evaluated: ${open}.` : ""}`;
}

function readoutOf(maps, state, lines, summary) {
  if (state.layer === "available_channels") return summary;
  const line = lines.find((entry) => entry.channel === state.channel);
  const status = statusOf(line.raw);
  const level = status === "permitted" ? `${levelText(line.raw)} dBm` : WORDS[status];
  return `channel ${line.channel}: ${level}, limited by ${maps.services[line.service] ?? line.service}.`;
}

function degrees(value, plus, minus) {
  return `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`;
}
