// Texts in the reader's language: catalogues in maps.json lead from the English text to that of a language.

let catalogue = {};
let language = "en";

/** The language asked for, else the first that the browser prefers and there is a catalogue of, else English. */
export function languageOf(asked, catalogues, preferred = navigator.languages ?? []) {
  const known = [asked, ...preferred.map((tag) => tag.split("-")[0])];
  return known.find((name) => name === "en" || Object.hasOwn(catalogues, name)) ?? "en";
}

/** Speaks a language from now on; "en" needs no catalogue. */
export function speak(name, catalogues) {
  language = name;
  catalogue = catalogues[name]?.texts ?? {};
}

/** The language spoken. */
export const spoken = () => language;

/** A text in the language spoken, with {names} replaced; English where the catalogue has none. */
export function say(text, values = {}) {
  const found = catalogue[text] ?? text;
  return found.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** Turns every element with `data-say` (its text) or `data-say-label` (its aria-label) to the language. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-say]")) {
    element.dataset.say ||= element.textContent.replace(/\s+/g, " ").trim();
    element.textContent = say(element.dataset.say);
  }
  for (const element of root.querySelectorAll("[data-say-label]")) {
    element.dataset.sayLabel ||= element.getAttribute("aria-label");
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
  }
}
