import assert from "node:assert/strict";
import { test } from "node:test";
import { archiveOf, firstState, hashOf, stateOf } from "../src/state.js";

const maps = {
  families: { available_channels: {}, max_eirp: {}, limiting_service: {}, reach: {} },
  devices: [
    { id: "fixed30", levels_dbm: [0, 20, 36], channels: [{ channel: 21 }, { channel: 22 }], modes: [{ slug: "qpsk-1-2" }, { slug: "64qam-3-4" }] },
    { id: "small", levels_dbm: [0], channels: [{ channel: 2 }] },
  ],
};
const first = firstState(maps);

test("a state comes back from its address", () => {
  const state = { ...first, layer: "max_eirp", channel: 22, view: { zoom: 8.25, lat: 46.05, lon: -14.5 }, at: { lat: -1.5, lon: 2.25 } };
  assert.deepEqual(stateOf(hashOf(state), maps, first), state);
  const counts = { ...first, device: "small", level: 0, channel: 2, mode: null };
  assert.deepEqual(stateOf(hashOf(counts), maps, first), counts);
});

test("nonsense in an address changes nothing", () => {
  for (const hash of ["", "#", "#layer=nothing&device=x&level=7&channel=99&map=1/2&at=91/0", "#at=/&map=a/b/c"]) {
    assert.deepEqual(stateOf(hash, maps, first), first);
  }
});

test("archives are named as the layers", () => {
  assert.equal(archiveOf(first), "tiles/available_channels_fixed30_20dbm.pmtiles");
  assert.equal(archiveOf({ ...first, layer: "limiting_service", device: "small", channel: 2 }),
    "tiles/limiting_service_small_ch02.pmtiles");
});

test("a device without a reach shows another layer, and modes stay in the address", () => {
  const state = { ...first, layer: "reach", mode: "64qam-3-4" };
  assert.equal(archiveOf(state), "tiles/reach_fixed30_64qam-3-4.pmtiles");
  assert.deepEqual(stateOf(hashOf(state), maps, first), state);
  assert.equal(stateOf("#layer=reach&mode=none", maps, first).mode, "qpsk-1-2");
  const other = stateOf("#layer=reach&device=small", maps, first);
  assert.equal(other.layer, "max_eirp");
  assert.equal(other.mode, null);
});
