// Asks the edge when to come back. A browser does not show a page that the upgrade was refused with 503, nor its Retry-After: after a
// failed connect the question is the only way to hear of a storm. Not here: what the answer changes (comeback.ts).

import { ADMISSION } from "@wscluster/protocol";
import type { Window } from "@wscluster/protocol";
import type { PlatformLike } from "./platform-events.ts";

export type Admission = {
  /** Somebody answered over HTTP: if sockets never open, something on the way lets no WebSocket through. */
  readonly httpWorks: boolean;
  /** `undefined`: come back when you like. */
  readonly window: Window | undefined;
};

export async function askAdmission(url: string, { fetch }: PlatformLike): Promise<Admission> {
  try {
    const answer = await fetch?.(new URL(ADMISSION.path, url.replace(/^ws/, "http")).href);
    const said = (await answer?.json()) as { readonly windowMs?: unknown } | null | undefined;
    const windowMs = said?.windowMs;
    const isWindow = typeof windowMs === "number" && windowMs > 0;
    const window = isWindow ? { minMs: 0, maxMs: Math.min(windowMs, ADMISSION.maxWindowMs) } : undefined;
    return { httpWorks: windowMs !== undefined, window };
  } catch {
    // The network is down altogether: backoff has the say.
    return { httpWorks: false, window: undefined };
  }
}
