// What all pods are told to do with the sessions of a user, or with one: end them. A stream of the store as any other, so who did not hear
// it finds out. Not here: who is refused when it comes back (auth/revocations.ts).

import type { Hub } from "../hub/hub.ts";
import type { Subscriber, Subscription } from "../hub/subscription.ts";
import type { Broker } from "../broker/port.ts";
import type { Connection } from "../session/connection.ts";
import type { Registry } from "../session/registry.ts";
import { framesIn } from "../streams/frames.ts";

const STREAM = "/~orders";

export type Order = {
  /** `revoke`: they may not come back as they are; `disconnect`: they may. */
  readonly kind: "disconnect" | "revoke";
} & ({ readonly tenant: string; readonly user: string } | { readonly session: string });

export class Orders implements Subscriber {
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  readonly #hub: Hub;
  readonly #broker: Broker;
  readonly #registry: Registry;
  #hears = false;

  constructor(hub: Hub, broker: Broker, registry: Registry) {
    this.#hub = hub;
    this.#broker = broker;
    this.#registry = registry;
  }

  /** Hears orders from now on; to be called again until the store has answered. */
  start(): void {
    if (this.#hears) return;
    this.#hears = true;
    this.#hub
      .attach(this, STREAM, STREAM, undefined, () => {})
      .catch(() => {
        this.#hears = false;
      });
  }

  /** False when the store did not take it. */
  async give(order: Order, key: string): Promise<boolean> {
    const result = await this.#broker.publish({
      stream: STREAM,
      key,
      user: "~server/orders",
      data: JSON.stringify(order),
    });
    return result.kind === "stored" || result.kind === "dup";
  }

  push(output: Buffer): void {
    for (const frame of framesIn(output)) if (frame.t === "pub") this.#obey(frame.d as Order);
  }

  isCongested(): boolean {
    return false;
  }

  isDrained(): boolean {
    return true;
  }

  #obey(order: Order): void {
    const { sessions, preparing } = this.#registry;
    for (const connection of [...sessions.values(), ...preparing.values()]) {
      if (isMeant(order, connection)) connection.end(order.kind === "revoke" ? "forbidden" : "backoff");
    }
  }
}

function isMeant(order: Order, { row }: Connection): boolean {
  if ("session" in order) return row?.id === order.session;
  return row?.user === order.user && row.tenant === order.tenant;
}
