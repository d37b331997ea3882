// A place typed as people write it: 46.05, 14.5 · 46,05 14,5 · 46°03'N 14°30'E · N 46 3 0 E 14 30 0 · 14.5E 46.05N.
import { point } from "./state.js";

// English letters: an O is east in German and west in French, so neither is guessed.
const SIDES = { N: ["lat", 1], S: ["lat", -1], E: ["lon", 1], W: ["lon", -1] };
const LETTERS = /[NSEW]/g;

/** {lat, lon} in degrees of a text, latitude first where no letter tells; null if it is no place. */
export function coordinates(text) {
  const plain = text.toUpperCase().replace(/[−–]/g, "-").trim();
  if (!/\d/.test(plain) || /[^\d\s.,;/:+\-°º˚'’′"”″NSEW]/.test(plain)) return null;
  const letters = plain.match(LETTERS) ?? [];
  if (letters.length !== 0 && letters.length !== 2) return null;
  const halves = letters.length === 2 ? lettered(plain) : unlettered(plain);
  if (!halves) return null;
  const found = {};
  for (const [axis, degrees] of halves) found[axis] = degrees;
  return found.lat === undefined || found.lon === undefined ? null : point([found.lat, found.lon]);
}

/** [axis, degrees] of both halves, each with its letter before or behind it. */
function lettered(plain) {
  const before = /^[NSEW]/.test(plain);
  const halves = plain.match(before ? /[NSEW][^NSEW]+/g : /[^NSEW]+[NSEW]/g);
  if (halves?.length !== 2 || halves.join("").length !== plain.length) return null;
  return ended(
    halves.map((half) => {
      const [axis, sign] = SIDES[half.match(LETTERS)[0]];
      const degrees = sexagesimal(half.replace(LETTERS, " ").replace(/^[\s,;/]+|[\s,;/]+$/g, ""));
      return degrees === null || degrees < 0 ? null : [axis, sign * degrees];
    }),
  );
}

/** Both halves of numbers alone: parted by `;` or `/`, by a comma, or as many numbers in each. */
function unlettered(plain) {
  for (const parts of partings(plain)) {
    const degrees = parts.length === 2 ? parts.map(sexagesimal) : [null];
    if (!degrees.includes(null)) return [["lat", degrees[0]], ["lon", degrees[1]]];
  }
  return null;
}

/** Ways to part a text in two, the surest first. */
function partings(plain) {
  const words = plain.split(/\s+/);
  const middle = words.length / 2;
  const even = Number.isInteger(middle) ? [words.slice(0, middle).join(" "), words.slice(middle).join(" ")] : [];
  const trimmed = even.map((half) => half.replace(/,$/, ""));
  return [plain.split(/\s*[;/]\s*/), plain.split(/\s*,\s+|\s+,\s*/), trimmed, plain.split(",")];
}

/** Degrees of `46.05`, `46,05`, `46°03'`, `46 3 0` or `46:03:00`; null if it is no angle. */
function sexagesimal(text) {
  const words = text.trim().replace(/,/g, ".").split(/[\s°º˚'’′"”″:]+/).filter((word) => word !== "");
  if (words.length < 1 || words.length > 3 || !words.every((word) => /^[+-]?\d+(\.\d+)?$/.test(word))) return null;
  const [degrees, minutes = 0, seconds = 0] = words.map(Number);
  const whole = words.slice(0, -1).every((word) => !word.includes("."));
  if (!whole || minutes < 0 || minutes >= 60 || seconds < 0 || seconds >= 60) return null;
  const size = Math.abs(degrees) + minutes / 60 + seconds / 3600;
  return words[0].startsWith("-") ? -size : size;
}

const ended = (halves) => (halves.includes(null) ? null : halves);
