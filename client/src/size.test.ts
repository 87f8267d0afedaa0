import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

const LIMIT_BYTES = 12 * 1024;

it("is below 12 KiB, minified and compressed, in the page of whoever connects", async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: 'export { connect } from "./index.ts"',
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      loader: "ts",
    },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    conditions: ["@wscluster/source"],
  });
  const [bundle] = outputFiles;
  expect(gzipSync(bundle?.contents ?? "", { level: 9 }).length).toBeLessThanOrEqual(LIMIT_BYTES);
  // Nothing but the protocol's tables comes along.
  expect(bundle?.text).not.toMatch(/node:|require\(/);
});
