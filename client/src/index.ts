// Public surface of @wscluster/client.
export type { Position, Window } from "@wscluster/protocol";
export { CLOSE_CODES, closeActionFor, getReconnectionWindow, reconnectDelayMs } from "@wscluster/protocol";
export type { Inflate } from "./blocks.ts";
export { readingBlocks } from "./blocks.ts";
export type { Client, Wire } from "./client.ts";
export { connect } from "./client.ts";
export type { Clock, TimerHandle } from "./clock.ts";
export { systemClock } from "./clock.ts";
export type { ClientErrorCode } from "./errors.ts";
export { CLIENT_ERRORS, ClientError, isClientError } from "./errors.ts";
export type { ClientEvent, ClientEventMap, ClientEventType, Counters, EventOf } from "./events.ts";
export type { HistoryPage } from "./history.ts";
export { history } from "./history.ts";
export type { DirectMessage, Inbox, InboxOptions, Receipt, Sent } from "./inbox.ts";
export { inbox } from "./inbox.ts";
export type { WebSocketFactory, WebSocketLike } from "./link.ts";
export type { ConnectionState } from "./machine.ts";
export type { ConnectOptions, GiveUpPolicy, SessionIdentity } from "./options.ts";
export type { PlatformLike } from "./platform-events.ts";
export type { Presence, Present } from "./presence.ts";
export { presence } from "./presence.ts";
export type { Published, QueueOptions, QueuePolicy } from "./publisher.ts";
export type { LocksLike, Remembered, RememberOptions, StorageLike } from "./remember.ts";
export { remember } from "./remember.ts";
export type { RpcOptions } from "./rpc.ts";
export { rpc } from "./rpc.ts";
export type { SessionState } from "./state.ts";
export { sessionState } from "./state.ts";
export { keepTokenFresh } from "./token.ts";
export type {
  Diverged,
  EphemeralMessage,
  Gap,
  Message,
  Subscribed,
  SubscribeOptions,
  Subscription,
} from "./subscription.ts";
