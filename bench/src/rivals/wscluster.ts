// The product: the process that the image runs, with messages kept in memory.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SUBPROTOCOL } from "@wscluster/protocol";
import { productVersion } from "../machine.ts";
import { type Command, type Contender, inspectorFlags, type Launch, TOKEN_KEY } from "./contender.ts";
import { tokenFor } from "./token.ts";

/** The process that the image runs lies beside the library's entry, as source and as build. */
function serverProgram(): string {
  const entry = fileURLToPath(import.meta.resolve("@wscluster/server"));
  return entry.replace(/index\.(ts|js)$/, "main.$1");
}

export const HISTORY = { messages: 1_000, seconds: 300 } as const;

export async function wsclusterCommand(
  launch: Launch,
  more: { readonly nodeFlags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Command> {
  const file = join(launch.scratch, "config.json");
  const settings = {
    connections: { maxPerPod: 20_000, heartbeatSeconds: 300 },
    history: { maxLength: HISTORY.messages, ttlSeconds: HISTORY.seconds },
  };
  await writeFile(file, JSON.stringify(settings));
  return {
    argv: [process.execPath, "--conditions=@wscluster/source", ...(more.nodeFlags ?? []), serverProgram()],
    env: {
      WSC_PORT: String(launch.port),
      WSC_ADMIN_PORT: "0",
      WSC_HOST: "127.0.0.1",
      WSC_LOG_LEVEL: "error",
      WSC_JWT_SECRET: TOKEN_KEY,
      WSC_CONFIG_FILE: file,
      ...more.env,
    },
  };
}

export const WSCLUSTER: Contender = {
  name: "wscluster",
  version: productVersion(),
  history: "memory",
  collector: "inspector",
  prepare: async () => undefined,
  command: (launch) => wsclusterCommand(launch, { nodeFlags: inspectorFlags(launch) }),
  path: "/ws",
  subprotocol: SUBPROTOCOL,
  join: (index, channels) =>
    JSON.stringify({
      t: "hello",
      token: tokenFor(`user-${index}`),
      producer: { id: `bench-${index}`, gen: 1 },
      caps: ["resume"],
      sub: channels.map((c) => ({ c })),
    }),
  joined: { text: '"sub.ok"', per: "channel" },
  publish: (id, channel, seq, data) => `{"t":"pub","i":${id},"c":"${channel}","s":${seq},"d":${data}}`,
  lines: false,
};
