// What is known of a cluster: one connection for commands per node, and which node has which slot. It asks again on every sign of a
// change, and every few seconds. Not here: subscriptions (cluster-subscriptions.ts).

import type { Logger } from "@wscluster/platform";
import { BrokerUnavailable } from "../port.ts";
import type { HostPort, StoreAddress } from "./address.ts";
import { clusterSlotOf, slotRangesOf } from "./cluster-slots.ts";
import type { SlotRange } from "./cluster-slots.ts";
import { CommandLink } from "./command-link.ts";
import type { Command, Commands } from "./command-link.ts";
import { openNode } from "./connections.ts";

const LOOK_MS = 2_000;
const HURRY_MS = 100;
/** A command that is sent from node to node more often than this is given up. */
const MAX_HOPS = 8;

export type ClusterParts = {
  readonly address: Extract<StoreAddress, { readonly kind: "cluster" }>;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly log: Logger;
};

export class ClusterMap implements Commands {
  readonly #parts: ClusterParts;
  readonly #links = new Map<string, CommandLink>();
  #ranges: readonly SlotRange[] = [];
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #stopped = false;
  #waiting: (() => void)[] = [];
  /** The slots have other nodes now. */
  onChange: () => void = () => {};

  constructor(parts: ClusterParts) {
    this.#parts = parts;
  }

  start(): void {
    for (const host of this.#parts.address.hosts) this.#linkTo(`${host.host}:${host.port}`);
    this.#lookIn(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.stop();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Address of the node that has the key's slot, as far as known. */
  ownerOf(key: string): string | undefined {
    const slot = clusterSlotOf(key);
    return this.#ranges.find(({ first, last }) => slot >= first && slot <= last)?.address;
  }

  /** Something looks changed: asks soon. */
  hurry(): void {
    this.#lookIn(HURRY_MS);
  }

  async run(command: Command): Promise<unknown> {
    // Only counters are read of all slots at once.
    if (command.plain === "mget") {
      return Promise.all(command.keys.map((key) => this.run({ ...command, plain: "get", keys: [key] })));
    }
    const isSharded = command.plain === "publish" && command.keys[0]?.includes("{");
    return this.#runAt(isSharded ? { ...command, plain: "spublish" } : command, 0);
  }

  async #runAt(command: Command & { readonly hops?: number }, hops: number, address?: string): Promise<unknown> {
    if (hops > MAX_HOPS) throw new BrokerUnavailable("cannot run a command on the cluster: its nodes send it around");
    if (this.#ranges.length === 0) await this.#known();
    const owner = address ?? this.ownerOf(command.keys[0] ?? "");
    if (owner === undefined || this.#stopped) {
      this.hurry();
      throw new BrokerUnavailable("cannot run a command on the cluster: no node has its slot");
    }
    return this.#linkTo(owner).run({ ...command, hops } as Command);
  }

  /** Resolves when the slots are known for the first time, or nobody told them in time. */
  #known(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#parts.timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #linkTo(address: string): CommandLink {
    const known = this.#links.get(address);
    if (known) return known;
    const { timeoutMs, silenceMs, log } = this.#parts;
    const link = new CommandLink({
      open: openNode(this.#parts.address, hostPortOf(address)),
      timeoutMs,
      silenceMs,
      log,
      sharded: true,
      onDown: () => this.hurry(),
      onElsewhere: (command, target, way) => {
        if (way === "moved") this.hurry();
        // A node that does not know its own name leaves it out.
        const at = target.startsWith(":") ? `${hostPortOf(address).host}${target}` : target;
        const { hops = 0 } = command as Command & { readonly hops?: number };
        const { durable, ...rest } = command;
        const asking = way === "ask" ? { asking: true } : {};
        const plain = { ...rest, asking: false, ...asking, ...(durable === undefined ? {} : { durable }) };
        return this.#runAt(plain, hops + 1, at);
      },
    });
    this.#links.set(address, link);
    link.start();
    return link;
  }

  #lookIn(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    let found: readonly SlotRange[] = [];
    for (const [address, link] of this.#links) {
      if (!link.isReady) continue;
      const reply = await link
        .run({ plain: "cluster", keys: [], args: ["slots"], repeatable: false })
        .catch(() => undefined);
      found = slotRangesOf(reply, hostPortOf(address).host);
      if (found.length > 0) break;
    }
    this.#looking = false;
    if (this.#stopped) return;
    if (found.length > 0) this.#take(found);
    const isWhole = found.length > 0 && found.every(({ address }) => this.#links.get(address)?.isReady);
    this.#lookIn(isWhole ? LOOK_MS : HURRY_MS);
  }

  #take(found: readonly SlotRange[]): void {
    const isSame = JSON.stringify(found) === JSON.stringify(this.#ranges);
    this.#ranges = found;
    for (const wake of this.#waiting.splice(0)) wake();
    if (isSame) return;
    const owners = new Set(found.map(({ address }) => address));
    for (const owner of owners) this.#linkTo(owner);
    // What waits at a node that is gone goes to who has its slots now.
    for (const [address, link] of this.#links) {
      if (owners.has(address)) continue;
      for (const { resolve, reject, ...command } of link.takeQueue()) this.#runAt(command, 0).then(resolve, reject);
    }
    this.onChange();
  }
}

export function hostPortOf(address: string): HostPort {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
