// Socket.IO from npm.
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Contender, inspectorFlags } from "./contender.ts";
import { tokenFor } from "./token.ts";

const { version } = createRequire(import.meta.url)("socket.io/package.json") as { readonly version: string };

export const SOCKET_IO: Contender = {
  name: "socket.io",
  version,
  history: "none",
  collector: "inspector",
  prepare: async () => undefined,
  command: async (launch) => ({
    argv: [
      process.execPath,
      "--conditions=@wscluster/source",
      ...inspectorFlags(launch),
      join(import.meta.dirname, "socket-io", "main.ts"),
    ],
    env: { BENCH_PORT: String(launch.port) },
  }),
  path: "/socket.io/?EIO=4&transport=websocket",
  join: (index, channels) => `40${JSON.stringify({ token: tokenFor(`user-${index}`), channels })}`,
  joined: { text: '42["joined"', per: "connection" },
  publish: (_id, channel, _seq, data) => `42["pub","${channel}",${data}]`,
  lines: false,
};
