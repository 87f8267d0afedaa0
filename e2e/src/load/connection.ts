// What the load needs from one client. The adapter over the SDK is sdk-connection.ts; the journal of its sockets is separate.
import type { SocketLife } from "./continuity.ts";

export type Delivery = { readonly channel: string; readonly offset: number; readonly data: unknown };

export type ConnectionEvents = {
  delivered(delivery: Delivery): void;
  /** The application was told that it is not connected any more. */
  disconnected(): void;
  /** The application was told of messages that cannot be had. */
  gap(channel: string, why: string): void;
};

export interface LoadConnection {
  /** Resolves once the session is there. */
  open(): Promise<void>;
  /** Resolves with the offset that the subscription starts after. @param after start there instead of at the top. */
  subscribe(channel: string, after?: { readonly epoch: string; readonly offset: number }): Promise<StartPosition>;
  /** Resolves with the offset at which the message is stored; 0 when the server does not know it any more. */
  publish(channel: string, data: unknown): Promise<number>;
  close(): void;
  /** The sockets that it has made, in order. */
  readonly sockets: readonly SocketLife[];
}

export type StartPosition = { readonly epoch: string; readonly offset: number };

export type Connect = (client: string, events: ConnectionEvents) => LoadConnection;
