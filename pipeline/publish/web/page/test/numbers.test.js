import assert from "node:assert/strict";
import { test } from "node:test";
import { availableAt, blockOf, classOf, levelText, readPixel, statusOf } from "../src/numbers.js";

const PX = 4;

/** A block as web_tiles.py packs it, from levels[channel][pixel] and services[channel][pixel]. */
function packed(levels, services) {
  const bytes = [];
  levels.forEach((plane, channel) => {
    const steps = plane.map((level, i) => (level - (i % PX ? plane[i - 1] : 0)) & 0xffff);
    bytes.push(...steps.map((step) => step & 0xff), ...steps.map((step) => step >> 8), ...services[channel]);
  });
  return Uint8Array.from(bytes);
}

test("every pixel of a block comes back, extremes and codes as well", () => {
  const given = [3600, -9999, -9998, -32768, 32767, -32768, 0, -1, 1, -4000, 255, 256, -256, -257, 5, 5];
  const levels = [given, given.toReversed()];
  const services = [given.map((_, i) => i), given.map((_, i) => 255 - i)];
  const bytes = packed(levels, services);
  for (let i = 0; i < PX * PX; i += 1) {
    const found = readPixel(bytes, 2, PX, Math.floor(i / PX), i % PX);
    assert.deepEqual(found, [0, 1].map((c) => ({ raw: levels[c][i], service: services[c][i] })));
  }
});

test("blocks and places within them", () => {
  assert.deepEqual(blockOf({ row: 130, col: 63 }, 64), { x: 0, y: 2, row: 2, col: 63 });
});

test("codes are no levels", () => {
  assert.equal(statusOf(-9999), "not_permitted");
  assert.equal(statusOf(-9998), "not_evaluated");
  assert.equal(statusOf(-32768), "outside");
  assert.equal(statusOf(-9997), "permitted");
  assert.equal(availableAt(-9998, -200), false);
  assert.equal(availableAt(2000, 20), true);
  assert.equal(availableAt(1999, 20), false);
  assert.equal(availableAt(1257, 12.57), true);
  assert.equal(levelText(-5), "-0.05");
  assert.equal(levelText(3600), "36.00");
});

test("a level falls into the highest class that it reaches", () => {
  const classes = [
    { code: null, from_raw: -30000 }, { code: null, from_raw: 0 }, { code: null, from_raw: 2000 },
    { code: -9999, from_raw: null },
  ];
  assert.deepEqual([-1, 0, 1999, 2000, -9999].map((raw) => classOf(classes, raw)), [0, 1, 1, 2, 3]);
});
