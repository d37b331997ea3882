// What a reader does with the map beside reading it: look through it, take it along, find oneself, change language.
import { byId, make } from "./panel.js";
import { archiveOf, rasterOf } from "./state.js";
import { say, spoken } from "./texts.js";

/** Wires the view's choosers; `set(changes)` changes the state. */
export function makeView(maps, set) {
  byId("opacity").addEventListener("input", ({ target }) => set({ opacity: Number(target.value) }));
  for (const key of ["relief", "base"]) {
    byId(key).addEventListener("change", ({ target }) => set({ [key]: target.checked }));
  }
  byId("relief-field").hidden = !maps.relief;
  byId("base-field").hidden = !maps.basemap;
  byId("base-from").textContent = maps.basemap ? new URL(maps.basemap.url.replace(/[{}]/g, ""), location.href).host : "";
}

/** Shows the state in them. */
export function showView(maps, state) {
  byId("opacity").value = state.opacity;
  byId("relief").checked = state.relief;
  byId("base").checked = state.base;
  const archive = archiveOf(state);
  byId("raster").href = rasterOf(maps, archive);
  byId("raster").textContent = say("GeoTIFF of this layer");
}

/** Fills the chooser of languages; hidden where there is only English. The page is opened anew in the chosen one. */
export function makeLanguages(catalogues, choose) {
  const names = [["en", "English"], ...Object.entries(catalogues).map(([id, { name }]) => [id, name])];
  byId("language").replaceChildren(...names.map(([value, text]) => make("option", { value, lang: value }, text)));
  byId("language").value = spoken();
  byId("language-field").hidden = names.length < 2;
  byId("language").addEventListener("change", ({ target }) => choose(target.value));
}

/** Asks the browser where the reader is; `go({lat, lon})`. */
export function makeLocate(go) {
  const told = (text) => (byId("not-found").textContent = text);
  byId("locate").addEventListener("click", () => {
    if (!navigator.geolocation) {
      told(say("This browser does not tell where you are."));
      return;
    }
    told(say("Asking the browser …"));
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        told(say("Within {distance} m, says the browser.", { distance: Math.ceil(coords.accuracy) }));
        go({ lat: coords.latitude, lon: coords.longitude });
      },
      () => told(say("The browser does not say where you are: it was not allowed, or does not know.")),
      { enableHighAccuracy: true, timeout: 15_000 },
    );
  });
}

/** Copies a text; where the browser does not allow it, says what to do instead. */
export async function copy(text, done, instead) {
  try {
    await navigator.clipboard.writeText(text);
    byId("shared").textContent = done;
  } catch {
    byId("shared").textContent = instead;
  }
}

/** Hands a text over as a file. */
export function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Follows the link to a raster only if it is there: the folder of the page may have been copied alone. */
export async function followRaster(event) {
  if (location.protocol === "file:") return;
  event.preventDefault();
  const { href } = byId("raster");
  const there = await fetch(href, { method: "HEAD" }).then((answer) => answer.ok, () => false);
  if (there) make("a", { href, download: "" }).click();
  else byId("shared").textContent = say("The rasters do not lie beside this page; ask its publisher for the folder “public”.");
}
