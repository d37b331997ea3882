// Builds the page into ../bundle (or the folder given): index.html, app.js, app.css, LICENSES.txt.
// The same sources and lock file give the same bytes; the first line of app.js tells which they were.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "..", "bundle"));
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: "es2022",
  write: false,
  logLevel: "warning",
};

// MapLibre's worker becomes a text inside app.js: a file of its own could not be started from a disk.
const workerAsText = {
  name: "worker-as-text",
  setup(builder) {
    builder.onResolve({ filter: /^worker:/ }, (found) => ({
      path: found.path.slice("worker:".length),
      namespace: "worker",
    }));
    builder.onLoad({ filter: /.*/, namespace: "worker" }, async (found) => {
      const built = await build({
        ...common,
        entryPoints: [path.join(here, "node_modules", found.path)],
        format: "iife",
      });
      return { contents: built.outputFiles[0].text, loader: "text" };
    });
  },
};

/** SHA-256 of the names and contents of everything that the bundle is made from. */
async function sourceHash() {
  const sources = (await readdir(path.join(here, "src"))).map((name) => `src/${name}`);
  const digest = createHash("sha256");
  for (const name of [...sources, "build.mjs", "package.json", "package-lock.json"].sort()) {
    const content = await readFile(path.join(here, name));
    digest.update(`${name} ${createHash("sha256").update(content).digest("hex")}\n`);
  }
  return digest.digest("hex");
}

/** The licences that have to go with the page: of all packages that it depends on, whoever bundled them. */
async function licences() {
  const lock = JSON.parse(await readFile(path.join(here, "package-lock.json"), "utf8"));
  const folders = Object.entries(lock.packages).filter(([name, facts]) => name !== "" && !facts.dev);
  const texts = [];
  for (const [name, { version, license }] of folders.sort()) {
    const folder = path.join(here, name);
    const file = (await readdir(folder)).filter((entry) => /^(licen[cs]e|copying)/i.test(entry)).sort()[0];
    const text = file ? await readFile(path.join(folder, file), "utf8") : license;
    texts.push(`${"=".repeat(80)}\n${name.replace(/.*node_modules\//, "")} ${version}\n\n${text.trim()}\n`);
  }
  return `The page app.js is made from the following packages.\n\n${texts.join("\n")}`;
}

const built = await build({
  ...common,
  entryPoints: [path.join(here, "src", "app.js")],
  outdir: out,
  format: "iife",
  plugins: [workerAsText],
});

await mkdir(out, { recursive: true });
for (const file of built.outputFiles) {
  const first = file.path.endsWith(".js") ? `/* sources ${await sourceHash()} */\n` : "";
  await writeFile(file.path, first + file.text);
}
await writeFile(path.join(out, "index.html"), await readFile(path.join(here, "src", "index.html")));
await writeFile(path.join(out, "LICENSES.txt"), await licences());
