// What a pod is made of and told. Not here: defaults (create-server.ts, config.ts).

import type { PodMode } from "@wscluster/protocol";
import type { ServicesOptions } from "./app/services.ts";
import type { Tracing } from "./telemetry/tracing.ts";
import type { TlsFiles } from "./transport/tls-files.ts";
import type { LobbySettings } from "./transport/lobby.ts";
import type { QueueMarks } from "./transport/client-socket.ts";

export type PodOptions = ServicesOptions & {
  /** False while a newer settings file is not valid. */
  readonly settingsOk?: () => boolean;
  readonly port: number;
  readonly adminPort: number;
  readonly host?: string;
  readonly path: string;
  readonly podUid?: string;
  readonly mode: PodMode;
  readonly adminKeys: readonly string[];
  /** Keys of back ends that use the API on the admin port; absent = there is no API. */
  readonly apiKeys?: readonly string[];
  /** The first signs; empty = a random one, good for one pod alone. */
  readonly ticketKeys: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Cookie that carries a browser's token. Heeded only from allowed origins, of which there must be some. */
  readonly tokenCookie?: string;
  readonly terminationMs: number;
  readonly marks?: QueueMarks;
  readonly helloDeadlineMs?: number;
  readonly headersTimeoutMs?: number;
  /** Absent = nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** Certificate of the client port; absent = without TLS. */
  readonly tls?: TlsFiles;
  /** How those who come at once are let in. */
  readonly lobby?: Partial<LobbySettings>;
  /** Header in which a trusted proxy tells the client's address. */
  readonly addressHeader?: string;
  readonly version?: string;
  /** Milliseconds between looks at the store. */
  readonly pollMs?: number;
};
