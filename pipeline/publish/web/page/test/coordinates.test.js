import assert from "node:assert/strict";
import { test } from "node:test";
import { coordinates } from "../src/coordinates.js";

const near = (text, lat, lon) => {
  const found = coordinates(text);
  assert.ok(found, text);
  assert.ok(Math.abs(found.lat - lat) < 1e-9 && Math.abs(found.lon - lon) < 1e-9, `${text}: ${found.lat} ${found.lon}`);
};

test("decimal degrees with points or commas, however parted", () => {
  for (const text of ["46.05, 14.5", "46.05 14.5", "46,05 14,5", "46,05; 14,5", "46.05/14.5", "46.05,14.5", " 46.05 , 14.5 ", "46,05, 14,5", "+46.05 +14.5"]) {
    near(text, 46.05, 14.5);
  }
  near("-33.9, -70", -33.9, -70);
  near("−33,9; −70", -33.9, -70);
  near("46, 14", 46, 14);
  near("46 14", 46, 14);
});

test("degrees, minutes and seconds", () => {
  const [lat, lon] = [46 + 3 / 60, 14 + 30 / 60 + 36 / 3600];
  for (const text of ["46°03'00\"N 14°30'36\"E", "46° 3′ 0″ N, 14° 30′ 36″ E", "N46 03 00 E14 30 36", "46 3 0 14 30 36", "46:03:00 14:30:36",
    "46°3'N 14°30.6'E", "46° 3' 14° 30,6'", "N 46.05 E 14.51", "46.05N14.51E", "n46°03’, e14°30.6’"]) {
    near(text, lat, lon);
  }
});

test("letters tell the axis and the side", () => {
  near("14.5E 46.05N", 46.05, 14.5);
  near("W 14.5, S 46.05", -46.05, -14.5);
  near("33°S 70°30'W", -33, -70.5);
  near("-0°30' 10", -0.5, 10);
});

test("what is no place is none", () => {
  for (const text of ["", "Ljubljana", "46", "46.05 N", "91, 14", "46, 14, 3", "46°61' 14°", "46 14 N E", "46N 14N", "1e3, 4", "46.5°30' 14°0'", "-46N 14E", "48°N 2°O", "46°03'N 14°30'Z", "46.05,", "Most na Soči 5"]) {
    assert.equal(coordinates(text), null, text);
  }
});
