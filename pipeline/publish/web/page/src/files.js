// The folder's files, from a server or, if the page was opened from a disk, from the folder that the reader chooses.
import { EtagMismatch, PMTiles } from "pmtiles";

/** Files beside the page on a server, or in the folder of another page (`base`, with a slash at its end); `json(name)` and `archive(name)`. */
export function serverFiles(base = "") {
  return withArchives(
    async (name) => {
      const response = await fetch(`${base}${name}`, { cache: "no-cache" });
      if (!response.ok) throw new Error(`${name}: the server answers ${response.status}`);
      return response.json();
    },
    (name, version) => rangeSource(`${base}${name}`, `${base}${name}?v=${version}`),
  );
}

/** Files of a chosen folder (a FileList whose paths start with the folder's name). */
export function chosenFiles(list) {
  const byName = new Map([...list].map((file) => [file.webkitRelativePath.split("/").slice(1).join("/"), file]));
  const file = (name) => {
    if (!byName.has(name)) throw new Error(`${name} is not in the chosen folder`);
    return byName.get(name);
  };
  return withArchives(
    async (name) => JSON.parse(await file(name).text()),
    (name) => ({
      getKey: () => name,
      getBytes: async (offset, length) => ({ data: await file(name).slice(offset, offset + length).arrayBuffer() }),
    }),
  );
}

/** Archives are opened once; `versions` (name -> hash) keeps a browser from serving yesterday's. */
function withArchives(json, source) {
  const open = new Map();
  const archive = (name, versions = {}) => {
    if (!open.has(name)) open.set(name, new PMTiles(source(name, versions[name] ?? "")));
    return open.get(name);
  };
  return { json, archive };
}

/** Byte ranges of a file; from a server that does not know ranges the file is fetched whole, once. */
export function rangeSource(name, url, request = (...given) => fetch(...given)) {
  let whole = null;
  const part = (offset, length) => ({ data: whole.slice(offset, offset + length) });
  const getBytes = async (offset, length, signal, etag) => {
    if (whole) return part(offset, length);
    const headers = { range: `bytes=${offset}-${offset + length - 1}` };
    const response = await request(url, { signal, headers });
    if (response.status === 200) {
      whole = await response.arrayBuffer();
      return part(offset, length);
    }
    if (response.status !== 206) throw new Error(`${name}: the server answers ${response.status}`);
    const tag = response.headers.get("etag");
    const found = tag && !tag.startsWith("W/") ? tag : undefined;
    if (etag && found && found !== etag) throw new EtagMismatch(`${name} has changed`);
    return { data: await response.arrayBuffer(), etag: found };
  };
  return { getKey: () => name, getBytes };
}
