// Who may open a probe, the operator's synthetic client: whoever holds the admin key, each signature once. Not here: what a probe may
// do (session/probe-connection.ts).

import { verifyProbe } from "@wscluster/platform";

/** A probe runs once per new pod; this many in one life are a fault of whoever sends them. */
const MOST_PROBES = 1_000;

export type ProbeParts = { readonly podUid: string; readonly bootNonce: string; readonly adminKeys: readonly string[] };

export class ProbeGate {
  readonly #parts: ProbeParts;
  readonly #used = new Set<string>();

  constructor(parts: ProbeParts) {
    this.#parts = parts;
  }

  /** Whether this header opens a probe on this life of this pod. Uses it up. */
  admits(header: string): boolean {
    const dot = header.indexOf(".");
    const nonce = header.slice(0, dot);
    if (dot < 16 || dot > 64 || this.#used.has(nonce) || this.#used.size >= MOST_PROBES) return false;
    const { podUid, bootNonce, adminKeys } = this.#parts;
    if (!verifyProbe(adminKeys, { podUid, bootNonce, nonce }, header.slice(dot + 1))) return false;
    this.#used.add(nonce);
    return true;
  }
}
