// What a pod does beside moving frames: publishing by itself, orders to all pods, tokens. Not here: the parts.

import { randomUUID } from "node:crypto";
import type { Logger } from "@wscluster/platform";
import { createIdentify } from "../auth/identity.ts";
import type { IdentityOptions } from "../auth/identity.ts";
import { tendTokens } from "../auth/refresh.ts";
import { Revocations } from "../auth/revocations.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import type { Broker, SessionRow } from "../broker/port.ts";
import type { Hub } from "../hub/hub.ts";
import { callHttpRoute } from "../router/http-route.ts";
import { Router } from "../router/router.ts";
import type { Routes } from "../router/router.ts";
import type { LiveSettings, SessionContext } from "../session/context.ts";
import { sessionEnded } from "../session/ended.ts";
import type { Registry } from "../session/registry.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Hooks } from "./hooks.ts";
import { Orders } from "./orders.ts";
import type { Order } from "./orders.ts";
import { ServerPublisher } from "./publishing.ts";

export type ServicesOptions = IdentityOptions & {
  readonly broker: Broker;
  readonly log: Logger;
  readonly settings: () => LiveSettings;
  /** Functions and services that clients call by name; those of the settings file are added. */
  readonly routes?: Routes;
  readonly hooks?: Hooks;
  readonly tracing?: Tracing | undefined;
};

export class Services {
  /** To channels, users, sessions, tenants and everybody. */
  readonly publisher: ServerPublisher;
  readonly orders: Orders;
  readonly broker: Broker;
  readonly #now: () => number;
  #onEnded: (row: SessionRow) => void = () => {};
  /** What connections need of it. */
  readonly context: Pick<SessionContext, "identify" | "revocations" | "router" | "hooks">;

  constructor(options: ServicesOptions, hub: Hub, registry: Registry, now: () => number) {
    const { broker } = options;
    this.broker = broker;
    this.#now = now;
    this.publisher = new ServerPublisher(broker, options.tracing);
    this.orders = new Orders(hub, broker, registry);
    const { log, settings, routes, hooks = {} } = options;
    const router = new Router({
      routes: () => ({ ...settings().routes, ...routes }),
      callUrl: callHttpRoute,
      now,
      onFault: (route, error) => log.error({ err: error, route }, "a route failed"),
    });
    this.context = { identify: createIdentify(options), revocations: new Revocations(broker), router, hooks };
  }

  /** Ends the user's sessions; tokens that were issued until now are refused from now on. Rejects with `BrokerUnavailable`. */
  async revokeUser(tenant: string, user: string): Promise<void> {
    await this.context.revocations.revoke(tenant, user, this.#now());
    await this.#order({ kind: "revoke", tenant, user });
  }

  /** Ends one session for good. Rejects with `BrokerUnavailable`. */
  async revokeSession(session: string): Promise<void> {
    const loaded = await this.broker.loadSession(session);
    // Whoever ends the row says so: the pod that holds the socket, or waits for the client, finds nothing left to end.
    if (loaded && (await this.broker.endSession(session, loaded.row.g))) this.#onEnded(loaded.row);
    await this.#order({ kind: "revoke", session });
  }

  /** Closes connections; they may come back at once. Rejects with `BrokerUnavailable`. */
  async disconnect(
    whom: { readonly tenant: string; readonly user: string } | { readonly session: string },
  ): Promise<void> {
    await this.#order({ kind: "disconnect", ...whom });
  }

  async #order(order: Order): Promise<void> {
    if (await this.orders.give(order, randomUUID())) return;
    throw new BrokerUnavailable("cannot order the end of sessions: the store did not answer in time");
  }

  /** Sessions that are ended here end in this context. */
  serve(context: SessionContext): void {
    this.#onEnded = (row) => sessionEnded(context, row);
  }

  /** Once a second. */
  tend(context: SessionContext): void {
    this.orders.start();
    tendTokens(context);
  }
}
