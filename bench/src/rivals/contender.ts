// What a bench knows of a server that it measures: how to start it, and how a client of it speaks. Not here: running it (running.ts).
import type { Progress } from "@wscluster/e2e";

export type Launch = {
  readonly port: number;
  /** For probes and profilers; free when the server starts. */
  readonly sidePort: number;
  /** Whether memory will be collected through `sidePort`. */
  readonly collects: boolean;
  /** A folder for this run alone. */
  readonly scratch: string;
};

export type Command = {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
};

/** How memory is brought to what is really in use before it is read. */
export type Collector = "inspector" | "pprof" | "none";

export type Contender = {
  readonly name: string;
  readonly version: string;
  /** Whether messages are kept for those who come back, as it runs here. */
  readonly history: "memory" | "none";
  readonly collector: Collector;
  /** Makes sure that the program is there; rejects with the reason why it cannot be had. */
  prepare(progress: Progress, signal: AbortSignal): Promise<void>;
  command(launch: Launch): Promise<Command>;
  readonly path: string;
  readonly subprotocol?: string;
  /** The one message that authenticates and subscribes. */
  join(index: number, channels: readonly string[]): string;
  /** Text that answers `join`: once, or once per channel. */
  readonly joined: { readonly text: string; readonly per: "channel" | "connection" };
  /** @param seq of this channel, from 1. */
  publish(id: number, channel: string, seq: number, data: string): string;
  /** Whether several messages may share one frame, one a line. */
  readonly lines: boolean;
};

/** Key of the tokens that all contenders which know tokens check. Nothing secret: it guards servers on loopback for seconds. */
export const TOKEN_KEY = "only-for-servers-of-one-benchmark";

/** Flags of Node under which `sidePort` takes commands of the inspector, where memory is to be collected. */
export function inspectorFlags(launch: Launch): readonly string[] {
  return launch.collects ? [`--inspect=127.0.0.1:${launch.sidePort}`] : [];
}
