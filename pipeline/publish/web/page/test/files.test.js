import assert from "node:assert/strict";
import { test } from "node:test";
import { rangeSource, serverFiles } from "../src/files.js";

const DATA = Uint8Array.from({ length: 100 }, (_, i) => i);

/** A server for one file; `ranges` whether it knows them. */
function server({ ranges, etag = null, asked = [] }) {
  return async (url, { headers }) => {
    asked.push(headers.range);
    const [start, end] = headers.range.match(/\d+/g).map(Number);
    const body = ranges ? DATA.slice(start, end + 1) : DATA;
    return {
      status: ranges ? 206 : 200,
      headers: new Map([["etag", etag]]),
      arrayBuffer: async () => body.slice().buffer,
    };
  };
}

const bytes = async (answer) => [...new Uint8Array((await answer).data)];

test("ranges are asked for one by one", async () => {
  const asked = [];
  const source = rangeSource("x", "x", server({ ranges: true, asked }));
  assert.deepEqual(await bytes(source.getBytes(10, 3)), [10, 11, 12]);
  assert.deepEqual(await bytes(source.getBytes(98, 2)), [98, 99]);
  assert.deepEqual(asked, ["bytes=10-12", "bytes=98-99"]);
});

test("a server without ranges is asked once", async () => {
  const asked = [];
  const source = rangeSource("x", "x", server({ ranges: false, asked }));
  assert.deepEqual(await bytes(source.getBytes(10, 3)), [10, 11, 12]);
  assert.deepEqual(await bytes(source.getBytes(0, 2)), [0, 1]);
  assert.equal(asked.length, 1);
});

test("a file that was replaced is told from the one that was opened", async () => {
  const source = rangeSource("x", "x", server({ ranges: true, etag: "new" }));
  assert.equal((await source.getBytes(0, 1)).etag, "new");
  await assert.rejects(source.getBytes(0, 1, undefined, "old"), /changed/);
});

test("files of another run are asked from its folder, not from beside the page", async (run) => {
  const asked = [];
  run.mock.method(globalThis, "fetch", async (url) => {
    asked.push(url);
    return { ok: true, status: 200, json: async () => ({}), arrayBuffer: async () => DATA.slice().buffer };
  });
  for (const base of [undefined, "../other/"]) {
    const files = serverFiles(base);
    await files.json("maps.json");
    await files.archive("tiles/a.pmtiles", { "tiles/a.pmtiles": "12" }).source.getBytes(0, 1);
  }
  assert.deepEqual(asked, ["maps.json", "tiles/a.pmtiles?v=12", "../other/maps.json", "../other/tiles/a.pmtiles?v=12"]);
});
