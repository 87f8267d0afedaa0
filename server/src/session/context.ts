// What every connection of a pod shares. Not here: its construction (pod.ts).

import type { SERVER_METRICS, Ticket } from "@wscluster/protocol";
import type { Logger, Metrics } from "@wscluster/platform";
import type { Identify } from "../auth/identity.ts";
import type { Permission } from "../auth/permissions.ts";
import type { Revocations } from "../auth/revocations.ts";
import type { Hooks } from "../app/hooks.ts";
import type { Router, Routes } from "../router/router.ts";
import type { Broker } from "../broker/port.ts";
import type { Namespace } from "../hub/namespaces.ts";
import type { Hub } from "../hub/hub.ts";
import type { Limits, LimitSettings } from "../limits/limits.ts";
import type { Presence } from "../presence/presence.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Connection } from "./connection.ts";
import type { Control } from "./control.ts";
import type { Registry } from "./registry.ts";

export type LiveSettings = {
  readonly generation: number;
  readonly maxPerPod: number;
  readonly sessionTtlMs: number;
  readonly heartbeatMs: number;
  readonly history: { readonly maxLength: number; readonly ttlMs: number };
  /** Absent = none. */
  readonly limits?: LimitSettings;
  /** How channels are delivered; absent = all alike. */
  readonly namespaces?: readonly Namespace[];
  /** Absent = everything is allowed, as far as tokens do not say. */
  readonly permissions?: readonly Permission[];
  /** Routes to HTTP services. */
  readonly routes?: Routes;
};

/** What moves need to hear from connections. */
export interface MoveWatcher {
  failed(connection: Connection, id: string, why: string): void;
  /** The session went on to another socket. */
  left(connection: Connection): void;
  closed(connection: Connection): void;
  /** What became of a session whose socket had closed: `gone` = nobody resumed it. */
  settled(session: string, gone: boolean): void;
}

export type SessionContext = {
  readonly podKey: string;
  /** False until the store knows this pod: others would take its sessions for abandoned. */
  readonly hasLease: () => boolean;
  readonly broker: Broker;
  readonly hub: Hub;
  readonly identify: Identify;
  readonly revocations: Revocations;
  readonly router: Router;
  readonly hooks: Hooks;
  readonly registry: Registry;
  readonly control: Control;
  readonly presence: Presence;
  readonly moves: MoveWatcher;
  readonly settings: () => LiveSettings;
  readonly checkTicket: (text: string) => Ticket | undefined;
  readonly now: () => number;
  readonly metrics: Metrics<keyof typeof SERVER_METRICS>;
  readonly log: Logger;
  /** Absent = none. */
  readonly limits?: Limits;
  /** Absent = nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** A message came from a client. */
  readonly onMessage?: () => void;
  /** Given to each client that opens a session while the pod is on its way out. */
  readonly pace: () => { readonly minMs: number; readonly maxMs: number; readonly forMs: number } | undefined;
};
