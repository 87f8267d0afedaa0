// Subscriptions on a cluster: one connection per node, each channel on the node that has its slot. Not here: finding the nodes.

import type { ClusterMap, ClusterParts } from "./cluster-map.ts";
import { hostPortOf } from "./cluster-map.ts";
import { openNode } from "./connections.ts";
import { SubscriberLink } from "./subscriber-link.ts";
import type { SubscriberHooks, Subscriptions } from "./subscriber-link.ts";
import { BrokerUnavailable } from "../port.ts";

export class ClusterSubscriptions implements Subscriptions {
  readonly #parts: ClusterParts;
  readonly #map: ClusterMap;
  readonly #hooks: SubscriberHooks;
  readonly #links = new Map<string, SubscriberLink>();
  /** Channels that are wanted, and the node that they are on; "" = none is known. */
  readonly #places = new Map<string, string>();
  #stopped = false;

  constructor(parts: ClusterParts, map: ClusterMap, hooks: SubscriberHooks) {
    this.#parts = parts;
    this.#map = map;
    this.#hooks = hooks;
    map.onChange = () => void this.#follow();
  }

  start(): void {}

  stop(): void {
    this.#stopped = true;
    for (const link of this.#links.values()) link.stop();
  }

  async subscribe(channel: string): Promise<void> {
    const address = this.#map.ownerOf(channel) ?? (await this.#ownerLater(channel));
    this.#places.set(channel, address);
    await this.#linkTo(address).subscribe(channel);
  }

  unsubscribe(channel: string): void {
    const address = this.#places.get(channel);
    this.#places.delete(channel);
    if (address) this.#links.get(address)?.unsubscribe(channel);
  }

  cut(): void {
    for (const link of this.#links.values()) link.cut();
  }

  async #ownerLater(channel: string): Promise<string> {
    // Any command waits until the slots are known.
    await this.#map.run({ plain: "exists", keys: [channel], args: [], repeatable: true });
    const owner = this.#map.ownerOf(channel);
    if (owner === undefined) throw new BrokerUnavailable("cannot subscribe on the cluster: no node has the slot");
    return owner;
  }

  #linkTo(address: string): SubscriberLink {
    const known = this.#links.get(address);
    if (known) return known;
    const { timeoutMs, silenceMs, log } = this.#parts;
    const open = openNode(this.#parts.address, hostPortOf(address));
    const onMoved = () => {
      this.#map.hurry();
      // The slot may come back, or another one have moved: what the node still has is subscribed again.
      setTimeout(() => void this.#follow(true), 200);
    };
    const link = new SubscriberLink({ open, timeoutMs, silenceMs, log, sharded: true, onMoved }, this.#hooks);
    this.#links.set(address, link);
    link.start();
    return link;
  }

  /** Channels go where their slots went; what was said meanwhile is missing. */
  async #follow(all = false): Promise<void> {
    const moving: Promise<void>[] = [];
    for (const [channel, place] of this.#places) {
      const owner = this.#map.ownerOf(channel);
      if (owner === undefined || (owner === place && !all)) continue;
      if (owner !== place) this.#links.get(place)?.unsubscribe(channel);
      this.#places.set(channel, owner);
      moving.push(this.#linkTo(owner).subscribe(channel));
    }
    if (moving.length === 0) return;
    const results = await Promise.allSettled(moving);
    if (this.#stopped) return;
    // Somebody was too late: once more, until all are heard.
    if (results.some(({ status }) => status === "rejected")) setTimeout(() => void this.#follow(true), 500);
    this.#hooks.onRestored();
  }
}
