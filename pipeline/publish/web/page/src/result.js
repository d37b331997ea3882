// The numbers of a pixel: all channels with their maximum e.i.r.p. and what limits it.
import { WORDS, availableLines, serviceOf, showAnswer } from "./answer.js";
import { availableAt, blockOf, classOf, levelText, readPixel, statusOf } from "./numbers.js";
import { byId, make, swatch } from "./panel.js";
import { pixelOf } from "./place.js";
import { byChannel, deviceOf } from "./state.js";
import { say } from "./texts.js";

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

/** Fills list, table and the line on the map; `pick(channel)` when the reader asks to see a channel. */
export function showResult(maps, state, { pixel, values }, pick) {
  const device = deviceOf(maps, state);
  const where = placeText(state.at);
  byId("result").hidden = false;
  byId("all").hidden = !values;
  const lines = linesOf(device, values);
  byId("result").classList.toggle("outside", !values);
  if (values) showAnswer(state, lines, pick);
  fillRows(maps, state, lines, pick);
  const summary = values ? summaryOf(device, state, lines) : say("Outside the territory: nothing was computed here.");
  byId("summary").textContent = summary;
  const facts = { device: device.id, where, mhz: device.bandwidth_mhz, ...pixel };
  byId("caption").textContent = values
    ? say("{device} at {where}; pixel in row {row}, column {col} of the rasters. In {mhz} MHz, rounded down.", facts)
    : where;
  byId("readout").textContent = `${where}: ${values ? readoutOf(maps, state, lines, summary) : summary}`;
}

/** Empties list and table. */
export function clearResult() {
  byId("result").hidden = true;
  byId("all").hidden = true;
  byId("rows").replaceChildren();
  byId("answer").replaceChildren();
  byId("readout").textContent = say("Click or tap the map to read the channels at a place.");
}

/** The device's channels with their values at a pixel; none outside. */
export function linesOf(device, values) {
  return values ? device.channels.map((entry, i) => ({ ...entry, ...values[i] })) : [];
}

/** Latitude and longitude with their sides. */
export function placeText({ lat, lon }) {
  return `${degrees(lat, "N", "S")}, ${degrees(lon, "E", "W")}`;
}

/** Makes the heads of the columns sort the table; a second press turns the order round. */
export function makeSorting() {
  for (const button of document.querySelectorAll("thead button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortRows();
    });
  }
}

function fillRows(maps, state, lines, pick) {
  byId("rows").replaceChildren(...lines.map((line) => row(maps, state, line, pick)));
  sortRows();
}

/** Brings the rows into the order that the heads say; equal ones stay in that of the channels. */
function sortRows() {
  const head = document.querySelector("thead th[aria-sort]");
  const sign = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const key = (found) => Number(found.dataset[head.dataset.key]);
  const text = (found) => found.lastElementChild.textContent;
  const rows = [...byId("rows").children].sort((one, other) =>
    sign * (head.dataset.key === "service" ? text(one).localeCompare(text(other)) : key(one) - key(other)) || one.dataset.place - other.dataset.place);
  byId("rows").replaceChildren(...rows);
}

function row(maps, state, line, pick) {
  const status = statusOf(line.raw);
  const entry = maps.families.max_eirp.classes[classOf(maps.families.max_eirp.classes, line.raw)];
  const label = say("Show channel {channel} on the map", line);
  const button = make("button", { type: "button", ariaLabel: label }, String(line.channel));
  button.addEventListener("click", () => pick(line.channel));
  const level = make("td", { className: status }, swatch(entry), status === "permitted" ? levelText(line.raw) : say(WORDS[status]));
  const open = state.level !== null && availableAt(line.raw, state.level);
  const shown = byChannel(state.layer) && state.channel === line.channel;
  const mark = make("span", { className: "mark", ariaHidden: "true" }, open ? "✓" : status === "not_evaluated" ? "?" : "");
  const found = make("tr", { className: [shown ? "shown" : "", open ? "open" : ""].join(" ").trim() },
    make("th", { scope: "row" }, button, mark),
    make("td", {}, String(line.centre_mhz)), level, make("td", {}, say(serviceOf(maps, line))));
  const place = deviceOf(maps, state).channels.findIndex(({ channel }) => channel === line.channel);
  Object.assign(found.dataset, { channel: line.channel, raw: line.raw, service: line.service, place, mhz: line.centre_mhz });
  return found;
}

function summaryOf(device, state, lines) {
  const at = (level) => say("{count} at {level} dBm", { count: availableLines(lines, level).length, level });
  const open = lines.filter((line) => statusOf(line.raw) === "not_evaluated").length;
  const counts = device.levels_dbm.map(at).join(", ") || say("no level published");
  const first = say("Channels available, of {all}: {counts}.", { all: lines.length, counts });
  return open ? `${first} ${say("Not evaluated: {count}.", { count: open })}` : first;
}

function readoutOf(maps, state, lines, summary) {
  if (!byChannel(state.layer)) return summary;
  const line = lines.find((entry) => entry.channel === state.channel);
  const status = statusOf(line.raw);
  const level = status === "permitted" ? `${levelText(line.raw)} dBm` : say(WORDS[status]);
  return say("channel {channel}: {level}, limited by {service}.", { channel: line.channel, level, service: say(serviceOf(maps, line)) });
}

function degrees(value, plus, minus) {
  return `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`;
}
