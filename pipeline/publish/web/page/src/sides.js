// What may stand beside what is shown: `vs` of the address, such as level:36, channel:40, device:x, run:../../other.
import { byChannel, deviceOf, fitted } from "./state.js";
import { say } from "./texts.js";

/** What may stand against a state: [value, text], the value as in `vs` of the address. */
export function choicesOf(maps, state) {
  const device = deviceOf(maps, state);
  const here = byChannel(state.layer)
    ? device.channels
        .filter(({ channel }) => channel !== state.channel)
        .map(({ channel }) => [`channel:${channel}`, say("channel {channel}", { channel })])
    : state.layer === "reach"
      ? device.modes.filter(({ slug }) => slug !== state.mode).map(({ slug, mode }) => [`mode:${slug}`, mode])
      : device.levels_dbm.filter((level) => level !== state.level).map((level) => [`level:${level}`, `${level} dBm`]);
  const others = maps.devices.filter(({ id }) => id !== device.id).map(({ id }) => [`device:${id}`, say("device {id}", { id })]);
  return [...here, ...others];
}

/** Whether a text of an address is something to compare with; runs are folders of the same server. */
export function comparable(maps, state, vs) {
  return /^run:(?!\/\/| )[^:?#\\\t\r\n]+$/.test(vs) || choicesOf(maps, state).some(([value]) => value === vs);
}

/** The state of the other map. */
export function otherState(maps, state) {
  const [key, value] = parted(state.vs);
  return key === "run" ? state : fitted({ ...state, [key]: key === "level" ? Number(value) : value }, maps);
}

/** Key and value of a text of the address. */
export function parted(vs) {
  const place = vs.indexOf(":");
  return [vs.slice(0, place), vs.slice(place + 1)];
}
