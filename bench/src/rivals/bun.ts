// Bun from npm: its WebSocket server is uWebSockets.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Contender } from "./contender.ts";

const PACKAGE = "@oven/bun-linux-x64";

function packageFile(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  } catch {
    return undefined;
  }
}

function versionOf(file: string): string {
  return (createRequire(import.meta.url)(file) as { readonly version: string }).version;
}

const file = packageFile();
const program = file === undefined ? "" : join(dirname(file), "bin", "bun");

export const BUN: Contender = {
  name: "bun",
  version: file === undefined ? "missing" : versionOf(file),
  history: "none",
  collector: "none",
  prepare: async () => {
    if (!existsSync(program)) throw new Error(`the optional package ${PACKAGE} is not installed`);
  },
  command: async ({ port }) => ({
    argv: [program, join(import.meta.dirname, "bun", "main.ts")],
    env: { BENCH_PORT: String(port) },
  }),
  path: "/",
  join: (_index, channels) => JSON.stringify({ sub: channels }),
  joined: { text: "joined", per: "connection" },
  publish: (_id, channel, _seq, data) => `{"pub":"${channel}","d":${data}}`,
  lines: false,
};
