// Centrifugo, built from its Go module: as it is by default, and with the memory settings that its free edition offers.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { binaryPath } from "@wscluster/e2e";
import { type Command, type Contender, type Launch, TOKEN_KEY } from "./contender.ts";
import { buildProgram } from "./programs.ts";
import { tokenFor } from "./token.ts";
import { HISTORY } from "./wscluster.ts";

const VERSION = "6.9.1";
const PART = {
  name: "centrifugo",
  version: VERSION,
  package: "github.com/centrifugal/centrifugo/v6",
  source: {
    build: `centrifugo-${VERSION}`,
    requires: { "github.com/centrifugal/centrifugo/v6": `v${VERSION}` },
    variables: {},
  },
} as const;

/** Connects and subscribes as one message of several commands, as its SDKs send them. */
export function centrifugeJoin(channels: readonly string[], token: string | undefined): string {
  const connect = { id: 1, connect: token === undefined ? {} : { token } };
  const subscribes = channels.map((channel, at) => ({ id: at + 2, subscribe: { channel } }));
  return [connect, ...subscribes].map((command) => JSON.stringify(command)).join("\n");
}

export function centrifugePublish(id: number, channel: string, data: string): string {
  return `{"id":${id + 1_000},"publish":{"channel":"${channel}","data":${data}}}`;
}

/** @param more settings beside those that every run has. */
export async function centrifugoCommand(
  launch: Launch,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Command> {
  const { port, sidePort, scratch } = launch;
  const file = join(scratch, "centrifugo.json");
  const settings = {
    http_server: { address: "127.0.0.1", port: String(port), internal_port: String(sidePort) },
    log: { level: "error" },
    debug: { enabled: true },
    prometheus: { enabled: true },
    client: { token: { hmac_secret_key: TOKEN_KEY }, ping_interval: "300s", pong_timeout: "200s" },
    channel: {
      without_namespace: {
        history_size: HISTORY.messages,
        history_ttl: `${HISTORY.seconds}s`,
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_publish_for_client: true,
      },
    },
    ...more,
  };
  await writeFile(file, JSON.stringify(settings));
  return { argv: [binaryPath(PART.name, PART.version), "--config", file], env: {} };
}

function centrifugo(name: string, websocket: Readonly<Record<string, number | boolean>>): Contender {
  return {
    name,
    version: VERSION,
    history: "memory",
    collector: "pprof",
    prepare: (progress, signal) => buildProgram(PART, progress, signal),
    command: (launch) => centrifugoCommand(launch, { websocket }),
    path: "/connection/websocket",
    join: (index, channels) => centrifugeJoin(channels, tokenFor(`user-${index}`)),
    joined: { text: '"subscribe":', per: "channel" },
    publish: (id, channel, _seq, data) => centrifugePublish(id, channel, data),
    lines: true,
  };
}

export const CENTRIFUGO = centrifugo("centrifugo", {});
/** What its documentation advises for memory, without the options of the paid edition. */
export const CENTRIFUGO_TUNED = centrifugo("centrifugo-tuned", { read_buffer_size: 512, use_write_buffer_pool: true });
