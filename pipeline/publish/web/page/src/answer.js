// "Which channels at this level": the list that is read first, and the texts that a reader takes along.
import { byChannel } from "./state.js";
import { availableAt, levelText, statusOf } from "./numbers.js";
import { byId, make } from "./panel.js";
import { say } from "./texts.js";

export const WORDS = { not_permitted: "not permitted", not_evaluated: "not evaluated", outside: "outside" };

/** The lines whose channel is available at a level, in the order of the channels. */
export const availableLines = (lines, level) => (level === null ? [] : lines.filter((line) => availableAt(line.raw, level)));

/** Fills the list of channels at the level; `pick(channel)` when one is chosen. */
export function showAnswer(state, lines, pick) {
  const found = availableLines(lines, state.level);
  const open = lines.filter((line) => statusOf(line.raw) === "not_evaluated").map((line) => line.channel);
  byId("answer-title").textContent = say("Channels at {level} dBm: {count} of {all}", {
    level: state.level, count: found.length, all: lines.length });
  byId("answer-title").hidden = state.level === null;
  byId("answer").replaceChildren(...found.map((line) => chip(state, line, pick)));
  byId("answer-none").textContent = found.length || state.level === null ? "" : say("No channel is available at this level here.");
  byId("answer-open").textContent = open.length
    ? say("Not evaluated, and so not available: {channels}", { channels: open.join(", ") }) : "";
}

function chip(state, line, pick) {
  const text = String(line.channel);
  const label = say("Channel {channel}: up to {level} dBm. Show it on the map", { channel: text, level: levelText(line.raw) });
  const button = make("button", { type: "button", ariaLabel: label, title: label }, `✓ ${text}`);
  button.setAttribute("aria-pressed", String(byChannel(state.layer) && state.channel === line.channel));
  button.addEventListener("click", () => pick(line.channel));
  return make("li", {}, button);
}

/** The answer as a text to paste: a sentence, then the table with tabs. */
export function answerText(maps, state, device, lines, where) {
  const found = availableLines(lines, state.level).map((line) => line.channel);
  const first = say("{device} at {where}: {count} of {all} channels available at {level} dBm: {channels}", {
    device: device.id, where, count: found.length, all: lines.length, level: state.level, channels: found.join(", ") || say("none") });
  const head = ["Channel", "MHz", "Max. e.i.r.p., dBm", "Limited by"].map((name) => say(name)).join("\t");
  const notice = maps.statements.notice ? [maps.statements.notice] : [];
  return [maps.title, first, ...notice, head, ...lines.map((line) => cells(maps, line).join("\t"))].join("\n");
}

/** The table of a place as comma-separated values, with the codes' words. */
export function answerTable(maps, device, lines, at) {
  const head = "device,latitude,longitude,channel,centre_mhz,max_eirp_dbm,status,limited_by";
  const rows = lines.map((line) => {
    const status = statusOf(line.raw);
    const level = status === "permitted" ? levelText(line.raw) : "";
    const service = `"${String(serviceOf(maps, line)).replaceAll('"', '""')}"`;
    return [device.id, at.lat, at.lon, line.channel, line.centre_mhz, level, status, service].join(",");
  });
  return `${[head, ...rows].join("\n")}\n`;
}

/** What limits a channel, in English, as in the rasters' legends. */
export const serviceOf = (maps, line) => maps.services[line.service] ?? String(line.service);

function cells(maps, line) {
  const status = statusOf(line.raw);
  const level = status === "permitted" ? levelText(line.raw) : say(WORDS[status]);
  return [line.channel, line.centre_mhz, level, say(serviceOf(maps, line))];
}
