import assert from "node:assert/strict";
import { test } from "node:test";
import { wrongIn } from "../src/links.js";
import { matching } from "../src/search.js";
import { choicesOf, comparable, otherState } from "../src/sides.js";
import { firstState, hashOf, stateOf } from "../src/state.js";
import { languageOf, say, speak } from "../src/texts.js";

const maps = {
  families: { available_channels: {}, max_eirp: {}, limiting_service: {} },
  relief: "tiles/relief.pmtiles",
  basemap: null,
  languages: { sl: { name: "Slovenščina", texts: { "{count} at {level} dBm": "{count} pri {level} dBm" } } },
  devices: [
    { id: "fixed30", levels_dbm: [0, 20, 36], channels: [{ channel: 21 }, { channel: 22 }] },
    { id: "small", levels_dbm: [0], channels: [{ channel: 2 }, { channel: 3 }] },
  ],
};
const first = firstState(maps);
const wrong = (hash) => wrongIn(hash, maps, stateOf(hash, maps, first));

test("a link of the page has nothing wrong", () => {
  const state = { ...first, layer: "max_eirp", channel: 22, opacity: 40, relief: true, vs: "channel:21", lang: "sl",
    view: { zoom: 8, lat: 46, lon: 14 }, at: { lat: 46, lon: 14 } };
  assert.deepEqual(wrong(hashOf(state)), []);
  assert.deepEqual(wrong(""), []);
});

test("every wrong value is told, with what is shown", () => {
  for (const [hash, word] of [["#channel=99", "99"], ["#channel=99", "shown is 21"], ["#layer=nothing", "nothing"], ["#device=x", "fixed30"],
    ["#level=7", "20"], ["#level=", "“”"], ["#at=91/0", "place “91/0”"], ["#map=a/b/c", "a/b/c"], ["#opacity=101", "101"], ["#base=1", "map below"],
    ["#colour=red", "colour"], ["#lang=xx", "xx"], ["#relief=yes", "yes"], ["#layer=constructor", "constructor"],
    ["#lang=toString", "toString"], ["#map=8/200/14", "8/200/14"], ["#map=99/46/14", "99/46/14"]]) {
    assert.equal(wrong(hash).length, 1, hash);
    assert.ok(wrong(hash)[0].includes(word), wrong(hash)[0]);
  }
});

test("other levels, channels, devices and runs are compared, nothing else", () => {
  assert.deepEqual(choicesOf(maps, first).map(([value]) => value), ["level:0", "level:36", "device:small"]);
  assert.deepEqual(choicesOf(maps, { ...first, layer: "max_eirp" }).map(([value]) => value), ["channel:22", "device:small"]);
  assert.equal(otherState(maps, { ...first, vs: "level:36" }).level, 36);
  assert.equal(otherState(maps, { ...first, vs: "device:small" }).device, "small");
  for (const vs of ["level:7", "run://other.example/web", "run:https://other.example/web", "channel:22"]) assert.ok(!comparable(maps, first, vs), vs);
  assert.ok(comparable(maps, first, "run:../../other/public/web"));
});

test("the reach of one mode is compared with that of another", () => {
  const devices = [{ ...maps.devices[0], modes: [{ slug: "a", mode: "A" }, { slug: "b", mode: "B" }] }, maps.devices[1]];
  const own = { ...maps, families: { ...maps.families, reach: {} }, devices };
  const state = { ...first, layer: "reach", mode: "a" };
  assert.deepEqual(choicesOf(own, state), [["mode:b", "B"], ["device:small", "device small"]]);
  assert.equal(otherState(own, { ...state, vs: "mode:b" }).mode, "b");
});

test("names are found without case and accents, beginnings first, larger places before smaller ones", () => {
  const places = [["Šmarje pri Jelšah", 5], ["Ljubljana", 0], ["Velike Lašče", 3], ["Lašče", 9], ["Smast", 2]].map(([name, rank]) => ({ name, rank }));
  assert.deepEqual(matching("SMA", places).map(({ name }) => name), ["Smast", "Šmarje pri Jelšah"]);
  assert.deepEqual(matching("lasce", places).map(({ name }) => name), ["Lašče", "Velike Lašče"]);
  assert.deepEqual(matching(" ", places), []);
});

test("texts are those of the language, English where it has none", () => {
  assert.equal(languageOf("", maps.languages, ["de-AT", "sl-SI"]), "sl");
  assert.equal(languageOf("en", maps.languages, ["sl"]), "en");
  assert.equal(languageOf("", maps.languages, ["de"]), "en");
  speak("sl", maps.languages);
  assert.equal(say("{count} at {level} dBm", { count: 3, level: 20 }), "3 pri 20 dBm");
  assert.equal(say("unknown {x}"), "unknown {x}");
  speak("en", maps.languages);
});
