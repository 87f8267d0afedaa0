// Gives a client to the components below. Not here: channels (use-channel.ts).

import { connect } from "@wscluster/client";
import type { Client, ConnectOptions } from "@wscluster/client";
import { createContext, createElement, useContext, useEffect, useRef, useState } from "react";
import type { ReactElement, ReactNode } from "react";
import { DeferredRelease } from "./deferred-release.ts";

export type WsClusterProviderProps = { readonly children?: ReactNode } & (
  | {
      /** A client that the application made, and closes. */
      readonly client: Client;
      readonly options?: never;
    }
  | {
      readonly client?: never;
      /** The provider connects, and closes when it is unmounted. A changed `url` or `user` makes a new client; other changes wait for that. */
      readonly options: ConnectOptions;
    }
);

const ClientContext = createContext<Client | undefined>(undefined);

/**
 * @example
 * <WsClusterProvider options={{ url: "wss://chat.example/ws" }}><Room /></WsClusterProvider>
 */
export function WsClusterProvider({ client, options, children }: WsClusterProviderProps): ReactElement {
  const own = useOwnClient(options);
  return createElement(ClientContext.Provider, { value: client ?? own }, children);
}

/** The client of the nearest provider; `undefined` before its first effect and while rendering on a server. */
export function useClient(): Client | undefined {
  return useContext(ClientContext);
}

type Owned = { readonly client: Client; readonly key: string; readonly release: DeferredRelease };

// Made in an effect: a render may be thrown away, and would leave an open socket behind.
function useOwnClient(options: ConnectOptions | undefined): Client | undefined {
  const owned = useRef<Owned | undefined>(undefined);
  const [client, setClient] = useState<Client | undefined>(undefined);
  const latest = useRef(options);
  const key = options ? JSON.stringify([options.url, options.user]) : undefined;
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => {
    if (key === undefined || !latest.current) return undefined;
    if (owned.current?.key !== key) owned.current = ownedClient(latest.current, key, owned);
    setClient(owned.current.client);
    return owned.current.release.hold();
  }, [key]);
  return options ? client : undefined;
}

function ownedClient(options: ConnectOptions, key: string, current: { current: Owned | undefined }): Owned {
  const client = connect(options);
  const made: Owned = {
    client,
    key,
    release: new DeferredRelease(() => {
      if (current.current === made) current.current = undefined;
      client.close();
    }),
  };
  return made;
}
