// Bundles what the images run: one file each, everything inside. Arguments: names of bundles; without any, all of them.
// Types are checked by `npm run check`, not here.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Bundle name -> its entry. */
const BUNDLES = {
  server: "server/src/main.ts",
  operator: "operator/src/main.ts",
  wsc: "operator/src/wsc.ts",
};

// CommonJS dependencies inside an ES module bundle still call `require` and name their own folder.
const COMMONJS_BANNER = [
  'import { createRequire as wscCreateRequire } from "node:module";',
  'import { dirname as wscDirname } from "node:path";',
  'import { fileURLToPath as wscFileURLToPath } from "node:url";',
  "const require = wscCreateRequire(import.meta.url);",
  "const __filename = wscFileURLToPath(import.meta.url);",
  "const __dirname = wscDirname(__filename);",
].join("\n");

const startedAt = performance.now();
const wanted = process.argv.slice(2);
for (const [name, entry] of Object.entries(BUNDLES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (!existsSync(join(root, entry))) {
    console.error(`build: cannot bundle ${name}: ${entry} is not there`);
    process.exitCode = 1;
    continue;
  }
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join("dist", "images", `${name}.mjs`),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    conditions: ["@wscluster/source"],
    banner: { js: COMMONJS_BANNER },
    // Readable stack traces from a running pod are worth more than a smaller file.
    minify: false,
    keepNames: true,
    legalComments: "none",
    logLevel: "warning",
  });
}
console.log(`build: dist/images in ${Math.round(performance.now() - startedAt)} ms`);
