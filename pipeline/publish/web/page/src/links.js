// What an address asks for that is not there: a reader of a link has to know that something else is shown.
import { deviceOf } from "./state.js";
import { say } from "./texts.js";

// How a sentence names the keys of an address.
const NAMES = { at: "place", map: "view", vs: "comparison", base: "map below", lang: "language" };

/** One sentence for each value of an address (the part after #) that the state of it does not have. */
export function wrongIn(hash, maps, state) {
  const device = deviceOf(maps, state);
  const shown = {
    layer: state.layer,
    device: device.id,
    level: state.level,
    channel: state.channel,
    mode: state.mode,
    at: state.at && "there",
    map: state.view && "there",
    opacity: state.opacity,
    relief: state.relief && maps.relief ? "1" : "",
    base: state.base && maps.basemap ? "1" : "",
    vs: state.vs,
    lang: state.lang,
  };
  const found = [];
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (!(key in shown)) found.push(say("The link has “{key}”, which this page does not know.", { key }));
    else if (!same(key, value, shown[key])) found.push(sentence(key, value, shown[key]));
  }
  return found;
}

function same(key, value, shown) {
  if (key === "at" || key === "map") return Boolean(shown);
  const numeric = key === "level" || key === "opacity";
  return numeric ? value.trim() !== "" && Number(value) === shown : value === String(shown);
}

function sentence(key, value, shown) {
  const what = say(NAMES[key] ?? key);
  const known = shown === null || shown === "" || shown === false || key === "at" || key === "map" ? "" : String(shown);
  return known
    ? say("The link asks for {what} “{value}”, which is not there; shown is {shown}.", { what, value, shown: known })
    : say("The link asks for {what} “{value}”, which is not there.", { what, value });
}
