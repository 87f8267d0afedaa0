// The connection that commands go over. One batch is under way at a time: what gathers meanwhile is the next one, so order is kept
// whatever fails, and busy times make large batches by themselves. Nothing waits for ever: each command has a deadline, after which its
// caller is told while the command itself may still be executed. Not here: what the commands mean.

import { createHash } from "node:crypto";
import { type Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { Logger } from "@wscluster/platform";
import { BrokerUnavailable } from "../port.ts";
import { CURSOR_SCRIPTS } from "./cursors.ts";
import { PRESENCE_SCRIPTS } from "./presence.ts";
import { ALL_SCRIPTS } from "./scripts.ts";
import type { Script } from "./scripts.ts";

export type Command = {
  readonly script?: Script;
  /** Name of a plain command, when there is no script. */
  readonly plain?: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** May run twice: after a lost connection it is sent again. */
  readonly repeatable: boolean;
  /** Its answer counts only once a replica has it as well. */
  readonly durable?: boolean;
  /** Of a slot that is on its way to this node. */
  readonly asking?: boolean;
};

/** Runs commands. Rejections: only `BrokerUnavailable`. */
export interface Commands {
  start(): void;
  stop(): void;
  run(command: Command): Promise<unknown>;
}

export type LinkParts = {
  readonly open: (silenceMs: number) => Redis;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly log: Logger;
  /** Publish to the slot's node alone. */
  readonly sharded?: boolean;
  /** A node says that another one has the command's slot: for good, or for this command. */
  readonly onElsewhere?: (command: Command, address: string, way: "moved" | "ask") => Promise<unknown>;
  readonly onDown?: () => void;
};

type Waiting = Command & {
  readonly deadlineMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: BrokerUnavailable) => void;
  settled: boolean;
};

const BATCH_LIMIT = 1_000;
const SWEEP_MS = 100;
/** A connection on which nothing comes is given up after this time. */
export const SILENCE_MS = 10_000;
const RETRIES_WITHOUT_PROGRESS_MS = 50;

/** Reconnecting is never given up and never slower than once a second, so that recovery is quick. */
export function linkOptions(silenceMs: number) {
  return {
    lazyConnect: true,
    protocol: 2 as const,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // 0 = commands under way fail when the connection closes. With null they would never be settled at all.
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    socketTimeout: silenceMs,
    keepAlive: 5_000,
    retryStrategy: (times: number) => Math.min(1_000, 50 * 2 ** Math.min(times, 5)) * (0.75 + Math.random() / 4),
  } satisfies RedisOptions;
}

const SCRIPTS = [...ALL_SCRIPTS, ...PRESENCE_SCRIPTS, ...CURSOR_SCRIPTS];

/** The scripts as they are for one Redis, or for a cluster, where messages of streams go to the subscribers of the slot's node. */
function scriptsFor(sharded: boolean): ReadonlyMap<string, { readonly lua: string; readonly sha: string }> {
  return new Map(
    SCRIPTS.map(({ name, lua: text }) => {
      const lua = sharded ? text.replaceAll("redis.call('PUBLISH', ARGV[1],", "redis.call('SPUBLISH', ARGV[1],") : text;
      return [name, { lua, sha: createHash("sha1").update(lua).digest("hex") }];
    }),
  );
}

const ONE_REDIS = scriptsFor(false);
const CLUSTER = scriptsFor(true);
/** How long a batch waits for a replica. */
const REPLICA_WAIT_MS = 500;

export class CommandLink implements Commands {
  readonly #redis: Redis;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  #queue: Waiting[] = [];
  /** All that are not settled, oldest first, for the deadline. */
  #open: Waiting[] = [];
  #busy = false;
  #planned = false;
  #scriptsLoaded = false;
  #sweep: NodeJS.Timeout | undefined;
  #stopped = false;
  #breakBatch: (() => void) | undefined;

  readonly #parts: LinkParts;
  readonly #scripts: ReadonlyMap<string, { readonly lua: string; readonly sha: string }>;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#scripts = parts.sharded ? CLUSTER : ONE_REDIS;
    this.#redis = parts.open(parts.silenceMs);
    this.#timeoutMs = parts.timeoutMs;
    this.#log = parts.log;
    this.#redis.on("error", (error) => this.#log.debug({ err: error }, "store connection"));
    this.#redis.on("close", () => {
      this.#breakBatch?.();
      parts.onDown?.();
    });
    this.#redis.on("ready", () => {
      // The store may have been restarted, or be another one.
      this.#scriptsLoaded = false;
      this.#plan();
    });
  }

  get isReady(): boolean {
    return this.#redis.status === "ready";
  }

  /** What has no answer yet and is not under way; it is not run here any more. */
  takeQueue(): readonly (Command & Pick<Waiting, "resolve" | "reject">)[] {
    const queue = this.#queue.filter(({ settled }) => !settled);
    this.#queue = [];
    for (const waiting of queue) waiting.settled = true;
    return queue;
  }

  /** Does not wait for the store. */
  start(): void {
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS);
    this.#redis.connect().catch(() => {});
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#sweep);
    for (const waiting of this.#open) this.#fail(waiting, "it is being closed");
    this.#open = [];
    this.#redis.disconnect();
  }

  run(command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ...command,
        deadlineMs: performance.now() + this.#timeoutMs,
        resolve,
        reject,
        settled: false,
      };
      if (this.#stopped) {
        this.#fail(waiting, "it is closed");
        return;
      }
      this.#queue.push(waiting);
      this.#open.push(waiting);
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#planned || this.#busy) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      void this.#sendBatch();
    });
  }

  async #sendBatch(): Promise<void> {
    if (this.#busy || this.#stopped || this.#redis.status !== "ready") return;
    const batch = this.#queue.splice(0, BATCH_LIMIT).filter(({ settled }) => !settled);
    if (batch.length === 0) return;
    this.#busy = true;
    let again: Waiting[] = [];
    const broken = new Promise<undefined>((resolve) => {
      this.#breakBatch = () => resolve(undefined);
    });
    try {
      // Whatever the client makes of commands under way: once the connection is gone this batch has no answer.
      const results = await Promise.race([this.#execute(batch), broken]);
      again = results ? this.#settle(batch, results) : batch.filter((waiting) => this.#keepInDoubt(waiting));
    } catch {
      again = batch.filter((waiting) => this.#keepInDoubt(waiting));
    } finally {
      this.#busy = false;
    }
    // In front of what came later: order per producer must not change.
    this.#queue = [...again, ...this.#queue];
    if (this.#queue.length === 0) return;
    if (again.length > 0) setTimeout(() => this.#plan(), RETRIES_WITHOUT_PROGRESS_MS);
    else this.#plan();
  }

  async #execute(batch: readonly Waiting[]): Promise<readonly (readonly [Error | null, unknown])[]> {
    if (!this.#scriptsLoaded) {
      await Promise.all([...this.#scripts.values()].map(({ lua }) => this.#redis.script("LOAD", lua)));
      this.#scriptsLoaded = true;
    }
    const pipeline = this.#redis.pipeline();
    const isDurable = batch.some(({ durable }) => durable);
    for (const { script, plain, keys, args, asking } of batch) {
      if (asking) pipeline.callBuffer("asking");
      if (script) {
        pipeline.callBuffer("evalsha", this.#scripts.get(script.name)?.sha ?? "", keys.length, ...keys, ...args);
      } else pipeline.callBuffer(plain ?? "", ...keys, ...args);
    }
    if (isDurable) pipeline.callBuffer("wait", "1", String(REPLICA_WAIT_MS));
    const results = (await pipeline.exec()) ?? [];
    const replicas = isDurable ? results.at(-1) : undefined;
    const has = replicas && !replicas[0] && Number(replicas[1]) >= 1;
    let at = -1;
    return batch.map((waiting) => {
      at += waiting.asking ? 2 : 1;
      const result = results[at] ?? ([new Error("no answer"), undefined] as const);
      return waiting.durable && !result[0] && !has ? ([new Error(UNREPLICATED), undefined] as const) : result;
    });
  }

  #settle(batch: readonly Waiting[], results: readonly (readonly [Error | null, unknown])[]): Waiting[] {
    const again: Waiting[] = [];
    for (const [index, waiting] of batch.entries()) {
      const [error, value] = results[index] ?? [new Error("no answer"), undefined];
      if (!error) {
        waiting.settled = true;
        waiting.resolve(value);
      } else if (error.message === UNREPLICATED) this.#fail(waiting, "no replica has it");
      else if (this.#isSentOn(waiting, error)) continue;
      else if (this.#isUndone(error)) again.push(waiting);
      else if (isReply(error)) {
        this.#log.error({ err: error, script: waiting.script?.name }, "the store refused a command");
        this.#fail(waiting, "it refused the command");
      } else if (this.#keepInDoubt(waiting)) again.push(waiting);
    }
    return again.filter(({ settled }) => !settled);
  }

  /** The store said that it did not run the command and will be able to soon. */
  #isUndone(error: Error): boolean {
    if (error.message.startsWith("NOSCRIPT")) {
      this.#scriptsLoaded = false;
      return true;
    }
    if (error.message.startsWith("READONLY")) {
      // A primary that was demoted under us: connect anew, perhaps to its successor.
      this.#redis.disconnect(true);
      return true;
    }
    return /^(LOADING|MASTERDOWN|BUSY|CLUSTERDOWN|TRYAGAIN)/.test(error.message);
  }

  #isSentOn(waiting: Waiting, { message }: Error): boolean {
    const [, way, address] = /^(MOVED|ASK) \d+ (\S+)/.exec(message) ?? [];
    const { onElsewhere } = this.#parts;
    if (!onElsewhere || waiting.settled || way === undefined || address === undefined) return false;
    waiting.settled = true;
    onElsewhere(waiting, address, way === "ASK" ? "ask" : "moved").then(waiting.resolve, waiting.reject);
    return true;
  }

  #keepInDoubt(waiting: Waiting): boolean {
    if (waiting.settled) return false;
    if (waiting.repeatable) return true;
    this.#fail(waiting, "the connection broke before its answer");
    return false;
  }

  #expire(): void {
    const now = performance.now();
    let count = 0;
    for (const waiting of this.#open) {
      if (!waiting.settled && waiting.deadlineMs > now) break;
      if (!waiting.settled) this.#fail(waiting, `it did not answer within ${this.#timeoutMs} ms`);
      count += 1;
    }
    if (count > 0) {
      this.#open = this.#open.slice(count);
      this.#queue = this.#queue.filter(({ settled }) => !settled);
    }
  }

  #fail(waiting: Waiting, why: string): void {
    if (waiting.settled) return;
    waiting.settled = true;
    waiting.reject(new BrokerUnavailable(`cannot run ${waiting.script?.name ?? waiting.plain} on the store: ${why}`));
  }
}

const UNREPLICATED = "unreplicated";

function isReply(error: Error): boolean {
  return error.name === "ReplyError";
}
