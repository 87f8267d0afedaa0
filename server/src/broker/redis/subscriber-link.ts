// The connection that publications come over. Not here: what they mean. Losing it is an ordinary event: everything wanted is subscribed
// again and the owner is told that messages may be missing.

import type { Redis } from "ioredis";
import { BrokerUnavailable } from "../port.ts";
import { clusterSlotOf } from "./cluster-slots.ts";
import type { LinkParts } from "./command-link.ts";

type Wanted = { on: boolean; waiters: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] };

/** Where publications come from. */
export interface Subscriptions {
  start(): void;
  stop(): void;
  /** Resolves once messages published from now on will be heard. Rejects with `BrokerUnavailable`. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): void;
  /** Drops connections as a cut subscriber would see it. For tests. */
  cut(): void;
}

export type SubscriberParts = Omit<LinkParts, "onElsewhere" | "onDown"> & {
  /** A slot is not here any more: nothing of it is heard. */
  readonly onMoved?: () => void;
};

export type SubscriberHooks = {
  onMessage(channel: string, message: Buffer): void;
  /** Subscribed to everything again after a break. */
  onRestored(): void;
};

const CHUNK = 500;

/** In a cluster only channels of streams have a slot; the others reach every node. */
function isOfSlot(channel: string): boolean {
  return channel.includes("{");
}

export class SubscriberLink implements Subscriptions {
  readonly #redis: Redis;
  readonly #timeoutMs: number;
  readonly #pingMs: number;
  readonly #hooks: SubscriberHooks;
  readonly #wanted = new Map<string, Wanted>();
  readonly #unwanted = new Set<string>();
  #planned = false;
  #hasBeenReady = false;
  #ping: NodeJS.Timeout | undefined;

  readonly #sharded: boolean;

  constructor({ open, timeoutMs, silenceMs, log, sharded = false, onMoved }: SubscriberParts, hooks: SubscriberHooks) {
    this.#redis = open(silenceMs);
    this.#sharded = sharded;
    this.#pingMs = silenceMs / 5;
    this.#timeoutMs = timeoutMs;
    this.#hooks = hooks;
    if (sharded) {
      this.#redis.on("smessageBuffer", (channel: Buffer, message: Buffer) => {
        this.#hooks.onMessage(channel.toString(), message);
      });
      this.#redis.on("moved", () => {
        for (const [channel, wanted] of this.#wanted) if (isOfSlot(channel)) wanted.on = false;
        onMoved?.();
      });
    }
    this.#redis.on("error", (error) => log.debug({ err: error }, "store subscriber connection"));
    this.#redis.on("close", () => {
      for (const wanted of this.#wanted.values()) wanted.on = false;
    });
    this.#redis.on("ready", () => void this.#restore());
    this.#redis.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      this.#hooks.onMessage(channel.toString(), message);
    });
  }

  start(): void {
    // A quiet subscriber hears nothing; the ping's answer keeps it from being taken for dead.
    this.#ping = setInterval(() => {
      if (this.#redis.status === "ready") this.#redis.ping().catch(() => {});
    }, this.#pingMs);
    this.#redis.connect().catch(() => {});
  }

  stop(): void {
    clearInterval(this.#ping);
    for (const wanted of this.#wanted.values()) {
      for (const waiter of wanted.waiters.splice(0)) waiter.reject(unavailable());
    }
    this.#redis.disconnect();
  }

  /** Resolves once messages published from now on will be heard. */
  subscribe(channel: string): Promise<void> {
    this.#unwanted.delete(channel);
    let wanted = this.#wanted.get(channel);
    if (!wanted) {
      wanted = { on: false, waiters: [] };
      this.#wanted.set(channel, wanted);
    }
    if (wanted.on) return Promise.resolve();
    const { waiters } = wanted;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const index = waiters.indexOf(waiter);
        if (index >= 0) waiters.splice(index, 1);
        reject(unavailable());
      }, this.#timeoutMs);
      const waiter = {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error: Error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      waiters.push(waiter);
      this.#plan();
    });
  }

  unsubscribe(channel: string): void {
    if (!this.#wanted.delete(channel)) return;
    this.#unwanted.add(channel);
    this.#plan();
  }

  /** Drops the connection as a cut subscriber would see it. For tests. */
  cut(): void {
    this.#redis.disconnect(true);
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    if (this.#redis.status !== "ready") return;
    const leave = [...this.#unwanted];
    this.#unwanted.clear();
    const join = [...this.#wanted].filter(([, wanted]) => !wanted.on).map(([channel]) => channel);
    try {
      for (const [isSharded, chunk] of this.#chunksOf(leave)) {
        await (isSharded ? this.#redis.sunsubscribe(...chunk) : this.#redis.unsubscribe(...chunk));
      }
      for (const [isSharded, chunk] of this.#chunksOf(join)) {
        await (isSharded ? this.#redis.ssubscribe(...chunk) : this.#redis.subscribe(...chunk));
        for (const channel of chunk) this.#joined(channel);
      }
    } catch {
      // The connection broke: `ready` starts over.
    }
  }

  /** Many at once; channels of a cluster's slots only with others of the same slot. */
  *#chunksOf(channels: readonly string[]): Iterable<readonly [boolean, readonly string[]]> {
    const groups = new Map<number, string[]>();
    for (const channel of channels) {
      const slot = this.#sharded && isOfSlot(channel) ? clusterSlotOf(channel) : -1;
      const group = groups.get(slot) ?? [];
      groups.set(slot, group);
      group.push(channel);
    }
    for (const [slot, group] of groups) {
      for (let at = 0; at < group.length; at += CHUNK) yield [slot >= 0, group.slice(at, at + CHUNK)];
    }
  }

  #joined(channel: string): void {
    const wanted = this.#wanted.get(channel);
    if (!wanted) return;
    wanted.on = true;
    for (const waiter of wanted.waiters.splice(0)) waiter.resolve();
  }

  async #restore(): Promise<void> {
    await this.#send();
    const again = this.#hasBeenReady;
    this.#hasBeenReady = true;
    if (again) this.#hooks.onRestored();
  }
}

function unavailable(): BrokerUnavailable {
  return new BrokerUnavailable("cannot subscribe on the store: it did not answer in time");
}
