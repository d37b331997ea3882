// Two maps in one window with a border that the reader moves: another level, channel or device, or another run.
import { serverFiles } from "./files.js";
import { makeMap } from "./map.js";
import { byId, make } from "./panel.js";
import { choicesOf, otherState, parted } from "./sides.js";
import { archiveOf, deviceOf } from "./state.js";
import { say } from "./texts.js";

/** Fills the chooser; `change(vs)` when the reader chooses, or types the folder of another run. */
export function makeComparison(change) {
  byId("vs").addEventListener("change", ({ target }) => {
    byId("run-field").hidden = target.value !== "run";
    if (target.value === "run") byId("run").focus();
    else change(target.value);
  });
  byId("run").addEventListener("change", ({ target }) => change(target.value.trim() ? `run:${target.value.trim()}` : ""));
  byId("split").addEventListener("input", ({ target }) => byId("stage").style.setProperty("--split", target.value / 100));
}

/** Shows in the chooser what is compared. */
export function showChoices(maps, state) {
  const run = state.vs.startsWith("run:");
  const options = [["", say("nothing")], ...choicesOf(maps, state), ["run", say("another run …")]];
  byId("vs").replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  byId("vs").value = run ? "run" : state.vs;
  byId("run-field").hidden = !run;
  byId("run").value = run ? state.vs.slice("run:".length) : "";
}

/** {show(state)}: the other map over the first one, which it follows. */
export function comparison(maps, boundaries, files, main, on) {
  let other = null; // {map, maps, files, run}

  async function opened(run) {
    if (other?.run === run) return other;
    other?.map.remove();
    byId("other").replaceChildren();
    other = null;
    const theirs = run ? serverFiles(run.replace(/\/?$/, "/")) : files;
    const described = run ? await theirs.json("maps.json").catch(() => ({})) : maps;
    if (described.format !== maps.format) throw new Error(say("{run} has no such layer.", { run }));
    const map = makeMap(byId("other"), described, boundaries, theirs, on, { name: "other", follows: true });
    map.goTo(main.view());
    other = { map, maps: described, files: theirs, run };
    return other;
  }

  main.onMove(() => other?.map.goTo(main.view()));
  return {
    show: async (state) => {
      byId("stage").classList.toggle("compared", state.vs !== "");
      if (!state.vs) return;
      const [key, value] = parted(state.vs);
      const { map, maps: theirs } = await opened(key === "run" ? value : "");
      const archive = archiveOf(otherState(maps, state));
      if (!(archive in theirs.present)) throw new Error(say("{run} has no such layer.", { run: value }));
      byId("left-name").textContent = nameOf(maps, state, key, state);
      const theirName = () => (theirs.title === maps.title ? value : `${theirs.title} (${value})`);
      byId("right-name").textContent = key === "run" ? theirName() : nameOf(maps, state, key, otherState(maps, state));
      map.goTo(main.view());
      await map.show(archive, state);
    },
  };
}

function nameOf(maps, state, key, side) {
  if (key === "run") return say("this run");
  if (key === "level") return `${side.level} dBm`;
  return key === "device" ? deviceOf(maps, side).id : say("channel {channel}", { channel: side.channel });
}
