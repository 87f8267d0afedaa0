// What a browser knows about its network and its page, where there is one. Not here: what the SDK makes of it (session.ts).

type Target = {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
};

/** The parts of `globalThis` that are looked at; all may be missing. */
export type PlatformLike = {
  readonly addEventListener?: Target["addEventListener"];
  readonly removeEventListener?: Target["removeEventListener"];
  readonly document?: Partial<Target> & { readonly visibilityState?: string };
  readonly fetch?: (url: string) => Promise<{ json(): Promise<unknown> }>;
};

export interface PlatformHost {
  /** The network is back, or the page is looked at again: what was assumed about the connection may be wrong. */
  onWake(): void;
}

/** Listens until the returned function is called. Does nothing where there are no such events (Node). */
export function watchPlatform(platform: PlatformLike, host: PlatformHost): () => void {
  const { document } = platform;
  const wake = (): void => host.onWake();
  const look = (): void => {
    if (document?.visibilityState !== "hidden") host.onWake();
  };
  // `pageshow` also comes after the back-forward cache, where timers stood still.
  const types = ["online", "offline", "pageshow"] as const;
  for (const type of types) platform.addEventListener?.(type, wake);
  document?.addEventListener?.("visibilitychange", look);
  return () => {
    for (const type of types) platform.removeEventListener?.(type, wake);
    document?.removeEventListener?.("visibilitychange", look);
  };
}
