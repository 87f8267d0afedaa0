// `useConnectionState`: what to tell a user about the connection. Not here: how it is kept.

import type { Client, ConnectionState } from "@wscluster/client";
import { useCallback, useSyncExternalStore } from "react";
import { useClient } from "./provider.ts";

export type Connection = {
  /** `idle` while there is no client. A move between pods does not leave `live`. */
  readonly state: ConnectionState;
  /** Everything missed has been delivered and publishes go out. */
  readonly isLive: boolean;
  /** KEY of the pod that serves this client. */
  readonly pod: string | undefined;
};

const HEARD = ["state", "committed"] as const;

export function useConnectionState(): Connection {
  const client = useClient();
  const subscribe = useCallback(
    (listener: () => void) => {
      const stops = HEARD.map((type) => client?.on(type, listener));
      return () => {
        for (const stop of stops) stop?.();
      };
    },
    [client],
  );
  const state = useSyncExternalStore(subscribe, () => stateOf(client), stateOfNone);
  const pod = useSyncExternalStore(subscribe, () => client?.pod, podOfNone);
  return { state, isLive: state === "live", pod };
}

const stateOf = (client: Client | undefined): ConnectionState => client?.state ?? "idle";
const stateOfNone = (): ConnectionState => "idle";
const podOfNone = (): undefined => undefined;
