// The centrifuge library with its write delay, in a small program of ours: the strongest free opponent of joined writes.
import { copyFile, mkdir } from "node:fs/promises";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { binaryPath, cacheDirectory } from "@wscluster/e2e";
import { centrifugeJoin, centrifugePublish } from "./centrifugo.ts";
import type { Contender } from "./contender.ts";
import { buildProgram } from "./programs.ts";

/** The library under Centrifugo 6.9.1. */
const VERSION = "0.38.1-0.20260711082514-84d40cc4dbf6";
const WRITE_DELAY_MS = 10;
const SOURCE = join(import.meta.dirname, "..", "..", "src", "rivals", "centrifuge-writedelay", "main.go");

function part() {
  // The program of another source must not be taken for this one.
  const digest = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 8);
  return {
    name: "centrifuge-writedelay",
    version: `${VERSION.slice(0, 6)}-${digest}`,
    package: ".",
    source: {
      build: `centrifuge-writedelay-${VERSION}`,
      requires: { "github.com/centrifugal/centrifuge": `v${VERSION}` },
      variables: {},
    },
  } as const;
}

export const CENTRIFUGE_WRITE_DELAY: Contender = {
  name: "centrifuge+delay",
  version: `${VERSION.slice(0, 6)}, ${WRITE_DELAY_MS} ms`,
  history: "memory",
  collector: "none",
  prepare: async (progress, signal) => {
    const own = part();
    const folder = join(cacheDirectory(), "build", own.source.build);
    await mkdir(folder, { recursive: true });
    await copyFile(SOURCE, join(folder, "main.go"));
    await buildProgram(own, progress, signal);
  },
  command: async ({ port }) => {
    const own = part();
    return {
      argv: [binaryPath(own.name, own.version)],
      env: { BENCH_PORT: String(port), BENCH_WRITE_DELAY_MS: String(WRITE_DELAY_MS) },
    };
  },
  path: "/connection/websocket",
  join: (_index, channels) => centrifugeJoin(channels, undefined),
  joined: { text: '"subscribe":', per: "channel" },
  publish: (id, channel, _seq, data) => centrifugePublish(id, channel, data),
  lines: true,
};
