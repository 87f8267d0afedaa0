// `useChannel`: the messages of one channel, and a way to publish. Not here: what the store does with them (channel-store.ts).

import { ClientError } from "@wscluster/client";
import type { Message, Position, Published } from "@wscluster/client";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { NO_CHANNEL, channelStoreOf } from "./channel-store.ts";
import type { Channel, ChannelStore } from "./channel-store.ts";
import { useClient } from "./provider.ts";

export type UseChannelOptions = {
  /** Most messages that are kept, 1 or more. Default 200. */
  readonly limit?: number;
  /** Messages from before the subscription that are fetched once. Default 0. */
  readonly history?: number;
  /** Continue after this position. Only what the first user of a channel says counts. */
  readonly from?: Position;
};

export type UsedChannel<T> = Channel<T> & {
  /** Exactly once and in the order of calls; rejects as `Client.publish` does. */
  readonly publish: (data: T) => Promise<Published>;
  /** Not stored, may get lost. False: it was not even sent. */
  readonly publishEphemeral: (data: unknown) => boolean;
};

const nothingToHear = (): (() => void) => () => {};
const noChannel = (): Channel => NO_CHANNEL;

/** Subscribes while a component is mounted. Components that name the same channel share one subscription. */
export function useChannel<T = unknown>(name: string, options: UseChannelOptions = {}): UsedChannel<T> {
  const { limit = 200, history = 0, from } = options;
  const client = useClient();
  const [store, setStore] = useState<ChannelStore | undefined>(undefined);
  const epoch = from?.epoch;
  const offset = from?.offset;
  useEffect(() => {
    if (!client) return undefined;
    const start = epoch === undefined || offset === undefined ? {} : { from: { epoch, offset } };
    const found = channelStoreOf(client, name, { history, ...start });
    const release = found.hold(limit);
    setStore(found);
    return () => {
      // Else the messages of the former channel would be shown under the new name for one render.
      setStore(undefined);
      release();
    };
  }, [client, name, limit, history, epoch, offset]);
  const channel = useSyncExternalStore(
    store?.subscribe ?? nothingToHear,
    store?.snapshot ?? noChannel,
    noChannel,
  ) as Channel<T>;
  const publish = useCallback(
    (data: T) =>
      client?.publish(name, data) ??
      Promise.reject(new ClientError("closed", `cannot publish to "${name}": there is no client yet; wait for one`)),
    [client, name],
  );
  const publishEphemeral = useCallback(
    (data: unknown) => client?.publishEphemeral(name, data) ?? false,
    [client, name],
  );
  const messages: readonly Message<T>[] = useMemo(() => channel.messages.slice(-limit), [channel.messages, limit]);
  return { ...channel, messages, publish, publishEphemeral };
}
