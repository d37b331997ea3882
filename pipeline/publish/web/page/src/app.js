// The page: reads what there is, keeps one state, shows it in the map, the panel, the table and the address.
import "./app.css";
import { chosenFiles, serverFiles } from "./files.js";
import { makeMap } from "./map.js";
import { byId, fillStatements, makeChoosers, makePlaces, showChoice } from "./panel.js";
import { outlineOf } from "./place.js";
import { clearResult, readPlace, showResult } from "./result.js";
import { archiveOf, firstState, hashOf, point, stateOf } from "./state.js";

const FORMAT = "channelmaps-web/1";

function trouble(error) {
  if (error?.name === "AbortError") return;
  byId("trouble").hidden = false;
  byId("trouble").textContent = error?.message ?? String(error);
}

/** Runs the page on the files of its folder. */
async function start(files) {
  const maps = await files.json("maps.json");
  if (maps.format !== FORMAT) throw new Error(`maps.json is of the format ${maps.format}, this page reads ${FORMAT}`);
  const boundaries = await files.json("boundaries.geojson");
  let state = stateOf(location.hash, maps, firstState(maps));
  let asked = 0; // counts the questions, so that a late answer does not cover a newer one
  let map = null;

  async function read() {
    const turn = (asked += 1);
    if (!state.at) {
      clearResult();
      await map?.mark(null);
      return;
    }
    const found = await readPlace(maps, files, state.device, state.at);
    if (turn !== asked) return;
    showResult(maps, state, found, (channel) =>
      change({ ...state, channel, layer: state.layer === "available_channels" ? "max_eirp" : state.layer }),
    );
    await map?.mark(found.values ? outlineOf(maps.grid, found.pixel) : null);
  }

  function render() {
    showChoice(maps, state, archiveOf(state));
    return Promise.all([map?.show(archiveOf(state)), read()]).catch(trouble);
  }

  /** Keeps a state in the address. */
  function remember(next) {
    state = next;
    history.replaceState(null, "", hashOf(state));
  }

  function change(next) {
    remember(next);
    return render();
  }

  const readAt = (at) => {
    byId("place").value = "";
    return change({ ...state, at });
  };
  /** Reads a place that was not pointed at: it may be out of sight. */
  const lookAt = (at) => {
    if (map && !map.holds(at)) map.centre(at);
    return change({ ...state, at });
  };
  const close = () => {
    if (!state.at) return;
    const inside = byId("result").contains(document.activeElement);
    change({ ...state, at: null });
    if (inside) (map ?? byId("lat")).focus();
  };

  fillStatements(maps);
  makeChoosers(maps, () => state, change);
  makePlaces(boundaries, lookAt);
  try {
    map = makeMap(byId("map"), maps, boundaries, files, {
      read: readAt,
      moved: () => remember({ ...state, view: map.view() }),
      failed: trouble,
    });
    if (state.view) map.goTo(state.view);
  } catch (error) {
    trouble(new Error(`The map cannot be drawn (${error.message}). The numbers at a point can be read all the same.`));
  }
  byId("point").addEventListener("submit", (event) => {
    event.preventDefault();
    const at = point(["lat", "lon"].map((id) => Number(byId(id).value.trim().replace(",", ".") || NaN)));
    byId("lat").setCustomValidity(at ? "" : "A latitude of -90 to 90 and a longitude of -180 to 180 degrees");
    if (!byId("point").reportValidity()) return;
    byId("place").value = "";
    lookAt(at).then(() => byId("result").focus());
  });
  for (const id of ["lat", "lon"]) byId(id).addEventListener("input", () => byId("lat").setCustomValidity(""));
  byId("all").addEventListener("click", () => {
    byId("result").scrollIntoView();
    byId("result").focus({ preventScroll: true });
  });
  byId("clear").addEventListener("click", close);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
  byId("share").addEventListener("click", () => {
    remember(state);
    copyAddress();
  });
  window.addEventListener("hashchange", () => {
    state = stateOf(location.hash, maps, state);
    if (state.view) map?.goTo(state.view);
    render();
  });
  await render();
  document.documentElement.dataset.ready = "yes";
}

/** Copies the address; where the browser does not allow it, says where it stands. */
async function copyAddress() {
  try {
    await navigator.clipboard.writeText(location.href);
    byId("shared").textContent = "Link copied.";
  } catch {
    byId("shared").textContent = "Copy the address of this page.";
  }
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("lat").focus();
});
if (location.protocol === "file:") {
  byId("folder").hidden = false;
  byId("files").addEventListener("change", (event) => {
    byId("folder").hidden = true;
    start(chosenFiles(event.target.files)).catch(trouble);
  });
} else {
  start(serverFiles()).catch(trouble);
}
