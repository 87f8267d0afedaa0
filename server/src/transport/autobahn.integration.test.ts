// The Autobahn suite against our transport. WSC_AUTOBAHN=all runs all of 1 to 7, 9 and 10 (about ten minutes); without it a
// choice that takes half a minute. 12 and 13 are about compression, which is not offered.

import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Front } from "./front.ts";
import { createEchoServer } from "./testing/echo-server.ts";

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL("testing/autobahn", import.meta.url));
const isAll = process.env["WSC_AUTOBAHN"] === "all";
/** Echo, pings, reserved bits and opcodes, fragments, UTF-8, closes. */
const CHOICE = [
  "1.1.6",
  "1.2.6",
  "2.10",
  "3.*",
  "4.1.*",
  "5.3",
  "5.9",
  "5.15",
  "5.18",
  "6.3.1",
  "7.1.*",
  "7.9.1",
  "10.*",
];
const CASES = isAll ? ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"] : CHOICE;
const TIMEOUT_MS = isAll ? 1_800_000 : 180_000;
const MISSING = ["mvn", "java"].filter((program) => spawnSync(program, ["-version"]).error !== undefined);

let folder = "";
let front: Front | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wsc-autobahn-"));
});
afterAll(async () => {
  await front?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(MISSING.length > 0)(
  `the Autobahn suite${MISSING.length > 0 ? ` (needs ${MISSING.join(", ")})` : ""}`,
  () => {
    it("finds no fault in the transport", { timeout: TIMEOUT_MS }, async () => {
      const lib = join(folder, "lib");
      const pom = ["-f", join(SOURCES, "pom.xml"), `-DoutputDirectory=${lib}`];
      await run("mvn", ["-q", "-B", "dependency:copy-dependencies", ...pom], { cwd: folder });
      front = createEchoServer(0);
      const url = `ws://127.0.0.1:${await front.start()}/`;
      const args = ["-cp", join(lib, "*"), join(SOURCES, "Autobahn.java"), url, CASES.join(","), "0.*"];
      const { stdout } = await run("java", args, { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: TIMEOUT_MS });
      const results = stdout.split("\n").flatMap((line) => {
        const [word, name = "", behavior = "", close = ""] = line.trim().split(" ");
        return word === "case" && /^\d/.test(name) ? [{ name, behavior, close }] : [];
      });
      const good = ["OK", "NON_STRICT", "INFORMATIONAL"];
      expect(results.filter(({ behavior, close }) => !good.includes(behavior) || !good.includes(close))).toEqual([]);
      expect(results.length).toBeGreaterThan(isAll ? 290 : 25);
    });
  },
);
