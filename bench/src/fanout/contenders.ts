// The servers that fan out, each in a process of its own on core 0, and how a client of each speaks.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SUBPROTOCOL } from "@wscluster/protocol";

export const CHANNEL = "bench";

export type Contender = {
  readonly name: string;
  /** Arguments to Node. */
  readonly argv: readonly string[];
  readonly env: (port: number) => Readonly<Record<string, string>>;
  readonly path: string;
  readonly subprotocol?: string;
  /** Sent by each receiver after the upgrade; then it waits for a frame that contains `joined`. */
  readonly join: string;
  readonly joined: string;
  readonly publish: (seq: number, data: string) => string;
  /** How a delivery begins. */
  readonly delivery: string;
};

/** The process that the image runs lies beside the library's entry, as source and as build. */
function serverProgram(): string {
  const entry = fileURLToPath(import.meta.resolve("@wscluster/server"));
  return entry.replace(/index\.(ts|js)$/, "main.$1");
}

export const WSCLUSTER: Contender = {
  name: "wscluster",
  argv: ["--conditions=@wscluster/source", serverProgram()],
  env: (port) => ({ WSC_PORT: String(port), WSC_ADMIN_PORT: "0", WSC_HOST: "127.0.0.1", WSC_LOG_LEVEL: "error" }),
  path: "/ws",
  subprotocol: SUBPROTOCOL,
  join: JSON.stringify({ t: "hello", producer: { id: "PRODUCER", gen: 1 }, caps: [], sub: [{ c: CHANNEL }] }),
  joined: '"sub.ok"',
  publish: (seq, data) => `{"t":"pub","i":${seq},"c":"${CHANNEL}","s":${seq},"d":${data}}`,
  delivery: '{"t":"pub"',
};

export const SOCKET_IO: Contender = {
  name: "socket.io",
  argv: ["--conditions=@wscluster/source", join(import.meta.dirname, "socket-io", "main.ts")],
  env: (port) => ({ BENCH_PORT: String(port) }),
  path: "/socket.io/?EIO=4&transport=websocket",
  join: "40",
  joined: "40{",
  publish: (_, data) => `42["pub",${data}]`,
  delivery: '42["pub"',
};
