// Asks the edge when to come back. A browser does not show a page that the upgrade was refused with 503, nor its Retry-After: after a
// failed connect the question is the only way to hear of a storm. Not here: what the answer changes (comeback.ts).

import { ADMISSION } from "@wscluster/protocol";
import type { Window } from "@wscluster/protocol";
import type { PlatformLike } from "./platform-events.ts";

/** `undefined`: come back when you like, or nobody answered. */
export async function askAdmission(url: string, { fetch }: PlatformLike): Promise<Window | undefined> {
  try {
    const answer = await fetch?.(new URL(ADMISSION.path, url.replace(/^ws/, "http")).href);
    const said = (await answer?.json()) as { readonly windowMs?: unknown } | null | undefined;
    const windowMs = said?.windowMs;
    if (typeof windowMs === "number" && windowMs > 0) {
      return { minMs: 0, maxMs: Math.min(windowMs, ADMISSION.maxWindowMs) };
    }
  } catch {
    // The network is down altogether: backoff has the say.
  }
  return undefined;
}
