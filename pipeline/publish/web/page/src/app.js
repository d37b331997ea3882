// The page: reads what there is, keeps one state, shows it in the map, the panel, the table and the address.
import "./app.css";
import { answerTable, answerText } from "./answer.js";
import { comparison, makeComparison, showChoices } from "./compare.js";
import { chosenFiles, serverFiles } from "./files.js";
import { wrongIn } from "./links.js";
import { makeMap } from "./map.js";
import { byId, fillStatements, make, makeChoosers, showChoice } from "./panel.js";
import { outlineOf } from "./place.js";
import { clearResult, linesOf, makeSorting, placeText, readPlace, showResult } from "./result.js";
import { makeSearch } from "./search.js";
import { comparable } from "./sides.js";
import { archiveOf, byChannel, deviceOf, firstState, fitted, hashOf, stateOf } from "./state.js";
import { languageOf, say, speak, translate } from "./texts.js";
import { copy, followRaster, makeLanguages, makeLocate, makeView, save, showView } from "./tools.js";

const FORMAT = "channelmaps-web/2";

function trouble(error) {
  if (error?.name === "AbortError") return;
  byId("trouble").hidden = false;
  byId("trouble").textContent = error?.message ?? String(error);
}

/** Says what a link asks for and does not get; an empty list takes the words away. */
function tellWrong(sentences) {
  byId("wrong").hidden = sentences.length === 0;
  byId("wrong").replaceChildren(...sentences.map((text) => make("p", {}, text)));
}

/** The page's state and what shows it. */
class Page {
  constructor(maps, boundaries, files) {
    Object.assign(this, { maps, boundaries, files, map: null, other: null, answer: null, asked: 0 });
    this.state = firstState(maps);
    this.take(location.hash);
  }

  /** Takes the state of an address and says what of it is not there. */
  take(hash) {
    const base = this.state;
    const found = stateOf(hash, this.maps, base);
    this.state = comparable(this.maps, found, found.vs) ? found : { ...found, vs: "" };
    this.wrong = () => wrongIn(hash, this.maps, this.state);
  }

  /** Keeps a state in the address. */
  remember(next) {
    this.state = next;
    history.replaceState(null, "", hashOf(next));
  }

  set(changes) {
    tellWrong([]);
    if (this.map) byId("trouble").hidden = true; // what was wrong with the last choice, not that there is no map
    const next = fitted({ ...this.state, ...changes }, this.maps);
    this.remember(next.vs && !comparable(this.maps, next, next.vs) ? { ...next, vs: "" } : next);
    return this.render();
  }

  render() {
    const { maps, state } = this;
    showChoice(maps, state, archiveOf(state));
    showView(maps, state);
    showChoices(maps, state);
    return Promise.all([this.map?.show(archiveOf(state), state), this.other?.show(state), this.read()]).catch(trouble);
  }

  /** Reads the numbers of the place; a late answer does not cover a newer one. */
  async read() {
    const turn = (this.asked += 1);
    const { maps, state } = this;
    if (!state.at) {
      this.answer = null;
      clearResult();
      return this.map?.mark(null);
    }
    const found = await readPlace(maps, this.files, state.device, state.at);
    if (turn !== this.asked) return undefined;
    this.answer = found;
    showResult(maps, state, found, (channel) => this.pick(channel));
    return this.map?.mark(found.values ? outlineOf(maps.grid, found.pixel) : null);
  }

  pick(channel) {
    const { layer } = this.state;
    this.set({ channel, layer: byChannel(layer) ? layer : "max_eirp" });
  }

  /** Reads a place that was not pointed at, and brings it into sight, near enough to see its pixel. */
  look({ lat, lon }) {
    this.map?.goTo({ zoom: Math.max(this.map.view().zoom, this.maps.zooms[1]), lat, lon });
    return this.set({ at: { lat, lon } });
  }

  close() {
    if (!this.state.at) return;
    const inside = byId("result").contains(document.activeElement);
    this.set({ at: null });
    if (inside) (this.map ?? byId("search")).focus();
  }

  drawMap() {
    try {
      this.map = makeMap(byId("map"), this.maps, this.boundaries, this.files, {
        read: (at) => this.set({ at }),
        moved: () => this.remember({ ...this.state, view: this.map.view() }),
        failed: trouble,
      });
    } catch (error) {
      const why = say("The map cannot be drawn ({why}). The numbers at a point can be read all the same.", { why: error.message });
      trouble(new Error(why));
      return;
    }
    this.other = comparison(this.maps, this.boundaries, this.files, this.map, { failed: trouble });
    if (this.state.view) this.map.goTo(this.state.view);
  }
}

/** Runs the page on the files of its folder. */
async function start(files) {
  const maps = await files.json("maps.json");
  if (maps.format !== FORMAT) throw new Error(`maps.json is of the format ${maps.format}, this page reads ${FORMAT}`);
  const boundaries = await files.json("boundaries.geojson");
  const page = new Page(maps, boundaries, files);
  speak(languageOf(page.state.lang, maps.languages), maps.languages);
  document.documentElement.lang = languageOf(page.state.lang, maps.languages);
  translate(document);
  fillStatements(maps);
  makeChoosers(maps, () => page.state, (next) => page.set(next));
  makeView(maps, (changes) => page.set(changes));
  makeComparison((vs) => {
    const wanted = comparable(maps, page.state, vs) || vs === "" ? vs : "";
    page.set({ vs: wanted });
    if (wanted !== vs) trouble(new Error(say("Another run is a folder of this server, such as ../../../2026-11-29/public/web.")));
  });
  makeSearch(boundaries, (place) => page.look(place).then(() => byId("result").focus({ preventScroll: true })));
  makeLanguages(maps.languages, (lang) => {
    page.remember({ ...page.state, lang });
    location.reload();
  });
  makeSorting();
  makeLocate((place) => page.look(place));
  page.drawMap();
  wireAnswer(page);
  window.addEventListener("hashchange", () => {
    page.take(location.hash);
    if (page.state.view) page.map?.goTo(page.state.view);
    page.render();
    tellWrong(page.wrong());
  });
  await page.render();
  tellWrong(page.wrong());
  document.documentElement.dataset.ready = "yes";
}

/** Buttons of the answer and of the page as a whole. */
function wireAnswer(page) {
  const { maps } = page;
  const lines = () => linesOf(deviceOf(maps, page.state), page.answer?.values);
  const on = (id, act) => byId(id).addEventListener("click", act);
  on("all", () => {
    byId("result").scrollIntoView();
    byId("result").focus({ preventScroll: true });
  });
  on("clear", () => page.close());
  document.addEventListener("keydown", (event) => event.key === "Escape" && page.close());
  on("share", () => {
    page.remember(page.state);
    copy(location.href, say("Link copied."), say("Copy the address of this page."));
  });
  on("copy", () => {
    const text = answerText(maps, page.state, deviceOf(maps, page.state), lines(), placeText(page.state.at));
    copy(text, say("Channels copied."), say("The browser does not allow copying: mark the table instead."));
  });
  on("csv", () => {
    const { at, device } = page.state;
    save(`channels_${device}_${at.lat.toFixed(5)}_${at.lon.toFixed(5)}.csv`, answerTable(maps, deviceOf(maps, page.state), lines(), at));
  });
  on("print", () => window.print());
  on("raster", followRaster);
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("search").focus();
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
