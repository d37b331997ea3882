// Choosers, legend and statements: everything beside the map but the numbers of a pixel.
import { byChannel, deviceOf, fitted } from "./state.js";
import { say } from "./texts.js";

export const byId = (id) => document.getElementById(id);

/** An element with properties and children (texts or elements). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Fills what never changes: title, statements, the layers to choose from. */
export function fillStatements(maps) {
  const { notice, product, unverified, method, model } = maps.statements;
  document.title = maps.title;
  byId("title").textContent = maps.title;
  const rest = [notice.replace(product, "").replace(/^[\s.]+|[\s.]+$/g, ""), unverified && say("Rests on numbers that are not verified")];
  const texts = rest.filter(Boolean).map(sentence).join(" ");
  byId("notice").replaceChildren(...(product ? [make("strong", {}, sentence(product)), " "] : []), texts);
  const facts = [
    [say("Not verified"), unverified],
    [say("Protection of DTT reception"), method],
    [say("Propagation: coverage, devices"), model],
    [say("Pixels"), `${maps.grid.resolution_m} m, ${maps.grid.crs}${astray(maps.grid)}`],
    [say("Bookings"), maps.bookings_at && say("those of {date}", { date: maps.bookings_at })],
    [say("Registers"), maps.registers_as_of && say("as of {date}", { date: maps.registers_as_of })],
    [say("Data"), maps.attribution],
  ];
  const entries = facts.filter(([, text]) => text).flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
  byId("about").replaceChildren(make("dl", {}, ...entries));
}

/** Fills the choosers and calls `change(state)` with a complete state whenever the reader chooses. */
export function makeChoosers(maps, get, change) {
  const set = (changes) => change(fitted({ ...get(), ...changes }, maps));
  const radios = Object.entries(maps.families).map(([name, family]) => {
    const input = make("input", { type: "radio", name: "layer", value: name, id: `layer-${name}` });
    input.addEventListener("change", () => set({ layer: name }));
    return make("label", { htmlFor: input.id }, input, say(family.title));
  });
  byId("layers").replaceChildren(...radios);
  byId("device").replaceChildren(...maps.devices.map((device) => option(device.id, deviceText(device))));
  byId("device").addEventListener("change", (event) => set({ device: event.target.value }));
  byId("level").addEventListener("change", (event) => set({ level: Number(event.target.value) }));
  byId("channel").addEventListener("change", (event) => set({ channel: event.target.value }));
  byId("mode").addEventListener("change", (event) => set({ mode: event.target.value }));
  byId("before").addEventListener("click", () => set({ channel: neighbour(maps, get(), -1) }));
  byId("after").addEventListener("click", () => set({ channel: neighbour(maps, get(), 1) }));
  byId("choose").addEventListener("submit", (event) => event.preventDefault());
}

/** Makes choosers and legend show a state. */
export function showChoice(maps, state, archive) {
  const device = deviceOf(maps, state);
  byId(`layer-${state.layer}`).checked = true;
  byId("device").value = device.id;
  byId("level").replaceChildren(...device.levels_dbm.map((level) => option(level, `${level} dBm`)));
  byId("level").value = String(state.level);
  byId("channel").replaceChildren(...device.channels.map((entry) => option(entry.channel, channelText(entry))));
  byId("channel").value = String(state.channel);
  const modes = device.modes ?? [];
  byId("mode").replaceChildren(...modes.map((mode) => option(mode.slug, modeText(mode))));
  byId("mode").value = String(state.mode);
  byId("level-field").hidden = device.levels_dbm.length === 0;
  byId("channel-field").hidden = !byChannel(state.layer);
  byId("mode-field").hidden = state.layer !== "reach";
  byId("before").disabled = state.channel === device.channels[0].channel;
  byId("after").disabled = state.channel === device.channels.at(-1).channel;
  showLegend(maps.families[state.layer], new Set(maps.present[archive]));
}

/** Ramps are shown whole, so that they stay in place from channel to channel; of services those that occur. */
function showLegend(family, present) {
  const shown = family.classes.filter((entry, i) => entry.from_raw !== null || entry.code < 0 || !entry.colour || present.has(i));
  byId("legend-title").textContent = family.unit ? `${say(family.title)} (${family.unit})` : say(family.title);
  byId("legend-note").textContent = say(family.note);
  byId("legend").replaceChildren(...shown.map((entry) => make("li", {}, swatch(entry), say(entry.label))));
}

/** A square in the colour of a class; what lies outside is crossed out. */
export function swatch(entry) {
  const square = make("span", { className: entry.colour ? "swatch" : "swatch outside", ariaHidden: "true" });
  if (entry.colour) square.style.background = entry.colour;
  return square;
}

/** Says how far the pixel under a point may be off, where that is worth saying. */
function astray({ error_px: error, resolution_m: size }) {
  return error > 0.02 ? `; ${say("a point may be taken for one {distance} m away", { distance: Math.ceil(error * size) })}` : "";
}

function neighbour(maps, state, step) {
  const channels = deviceOf(maps, state).channels.map((entry) => entry.channel);
  const place = channels.indexOf(state.channel) + step;
  return channels[Math.min(Math.max(place, 0), channels.length - 1)];
}

const option = (value, text) => make("option", { value: String(value) }, text);
const deviceText = (device) => say("{id}: {height_m} m high, {bandwidth_mhz} MHz, up to {cap_dbm} dBm", device);
const modeText = ({ mode, cpe }) => say("{mode}, client {cpe}", { mode, cpe });
const channelText = ({ channel, centre_mhz }) => `${channel} (${centre_mhz} MHz)`;
const sentence = (text) => (text && !/[.!?]$/.test(text) ? `${text}.` : text);
