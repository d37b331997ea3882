// One field for a name of the territory or coordinates in any notation; a combobox as screen readers know it.
import { coordinates } from "./coordinates.js";
import { byId, make } from "./panel.js";
import { say } from "./texts.js";

const MOST = 8;

/** A text without case and accents, so that "lubljana" and "Škofja" are found as typed. */
export function plain(text) {
  return text.normalize("NFD").replace(/\p{Mark}/gu, "").toLowerCase().trim();
}

/** The places whose names begin with the text, then those with it in them; within these the larger ones first. */
export function matching(text, places) {
  const wanted = plain(text);
  if (!wanted) return [];
  const where = (place) => plain(place.name).indexOf(wanted);
  const begins = (place) => (where(place) === 0 ? 0 : 1);
  const found = places.filter((place) => where(place) >= 0);
  return found.sort((one, other) => begins(one) - begins(other) || one.rank - other.rank).slice(0, MOST);
}

/** [{name, rank, lat, lon}] of the territory in the features of boundaries.geojson. */
export function placesOf(boundaries) {
  const home = boundaries.features.filter((feature) => feature.properties.home);
  return home.map(({ properties: { name, rank }, geometry: { coordinates: [lon, lat] } }) => ({ name, rank, lat, lon }));
}

/** Makes the field call `go({lat, lon})`. */
export function makeSearch(boundaries, go) {
  const field = byId("search");
  const places = placesOf(boundaries);
  let listed = [];
  let active = -1;

  function list(found) {
    [listed, active] = [found, -1];
    byId("found").replaceChildren(...listed.map(entry));
    mark(-1);
    byId("found").hidden = listed.length === 0;
    field.setAttribute("aria-expanded", String(listed.length > 0));
  }

  function entry(place, number) {
    const item = make("li", { id: `found-${number}`, role: "option" }, place.name);
    item.addEventListener("mousedown", (event) => event.preventDefault());
    item.addEventListener("click", () => take(place));
    return item;
  }

  function mark(number) {
    active = number;
    [...byId("found").children].forEach((item, i) => item.setAttribute("aria-selected", String(i === number)));
    if (number >= 0) field.setAttribute("aria-activedescendant", `found-${number}`);
    else field.removeAttribute("aria-activedescendant");
  }

  function take(place) {
    list([]);
    if (place.name) field.value = place.name;
    byId("not-found").textContent = "";
    go(place);
  }

  field.addEventListener("input", () => {
    byId("not-found").textContent = "";
    list(coordinates(field.value) ? [] : matching(field.value, places));
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && listed.length) {
      event.preventDefault();
      mark((active + step + listed.length) % listed.length);
    } else if (event.key === "Escape" && listed.length) {
      event.stopPropagation();
      list([]);
    }
  });
  field.addEventListener("blur", () => list([]));
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const found = listed[active] ?? coordinates(field.value) ?? matching(field.value, places)[0];
    if (found) take(found);
    else byId("not-found").textContent = say("No such place. Type a name, or coordinates such as 46.05, 14.5 or 46°03′N 14°30′E.");
  });
}
