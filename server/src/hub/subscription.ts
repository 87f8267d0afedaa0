// One subscriber's place in one channel. Not here: the channel (channel.ts), sockets (transport).

import type { Channel } from "./channel.ts";
import type { Priority } from "./namespaces.ts";

/** What a channel needs of a connection. */
export interface Subscriber {
  /** Queues a complete frame; it leaves with the others of this tick. */
  push(frame: Buffer): void;
  /** Above the soft mark: numbered frames are not queued any more, the subscription lags and is fed by pages. */
  isCongested(priority?: Priority): boolean;
  /** Few enough bytes are waiting for another page. */
  isDrained(): boolean;
  readonly lagging: Set<Subscription>;
  /** Reads compressed blocks. */
  readonly takesBlocks?: boolean;
  /** Publications handed to it. */
  deliveries: number;
}

export type Subscription = {
  readonly subscriber: Subscriber;
  readonly channel: Channel;
  /** Place in the channel's list of live subscribers; -1 while lagging or gone. */
  index: number;
  /** Offset up to which it was fed; counts only while lagging, a live one stands at the channel's top. */
  cursor: number;
  lagging: boolean;
  gone: boolean;
  feeding: boolean;
  /** Life that the subscriber was in when it began to lag. */
  life: string | undefined;
  /** Called once, when the subscription first stands at the top. */
  onLive: (() => void) | undefined;
};
