import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, outlineOf, pixelOf, wrapped } from "../src/place.js";

// col = 100 (lon - 10), row = 50 (47 - lat): T0 and T1 only, over a box of 4 by 2 degrees.
const toPixel = { box: [10, 45, 14, 47], first: [[200, 200], [0, 0]], second: [[50, 0], [-50, 0]] };
const toLonlat = { box: [0, 0, 400, 100], first: [[12, 2], [0, 0]], second: [[46, 0], [-1, 0]] };
const grid = { width: 400, height: 100, to_pixel: toPixel, to_lonlat: toLonlat };

test("polynomials of the first degree are straight lines", () => {
  assert.deepEqual(evaluate(toPixel, 11, 46.5), [100, 25]);
  assert.equal(evaluate(toPixel, 9.99, 46), null);
  assert.equal(evaluate(toPixel, 11, NaN), null);
});

test("higher orders are Chebyshev polynomials", () => {
  const cube = { box: [-1, -1, 1, 1], first: [[0, 0, 0, 1]], second: [[0, 0, 0, 0]] };
  cube.first.push([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]);
  cube.second.push([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]);
  const t = 0.3;
  assert.ok(Math.abs(evaluate(cube, t, 0.7)[0] - Math.cos(3 * Math.acos(t))) < 1e-15);
});

test("a pixel holds its upper left corner", () => {
  assert.deepEqual(pixelOf(grid, 10, 47), { row: 0, col: 0 });
  assert.deepEqual(pixelOf(grid, 10.0101, 46.9999), { row: 0, col: 1 });
  assert.equal(pixelOf(grid, 14, 46), null); // the right edge belongs to the next pixel, which is not there
});

test("longitudes are brought to the box", () => {
  assert.equal(wrapped(11 - 360, [10, 45, 14, 47]), 11);
  assert.equal(wrapped(-179, [170, 0, 190, 1]), 181);
});

test("the outline is closed and has the corners of the pixel", () => {
  const ring = outlineOf(grid, { row: 10, col: 20 });
  assert.equal(ring.length, 5);
  assert.deepEqual(ring[0], ring[4]);
  assert.ok(Math.abs(ring[0][0] - 10.2) < 1e-12 && Math.abs(ring[2][0] - 10.21) < 1e-12);
  assert.ok(Math.abs(ring[0][1] - 46.8) < 1e-12 && Math.abs(ring[2][1] - 46.78) < 1e-12);
});
