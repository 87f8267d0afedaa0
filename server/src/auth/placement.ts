// Where a session's load counts and for how much: from the claims `key` and `weight`, kept with the session so that a move brings them
// along without asking anybody. Pure. Not here: the numbers (telemetry/partitions.ts).

import { WEIGHTS, partitionOf } from "@wscluster/protocol";
import { DEFAULT_TENANT } from "./names.ts";
import type { SessionRow } from "../broker/port.ts";

export type Placement = {
  /** Routing key. Absent = the tenant, or the user where there is but one tenant. */
  readonly key?: string;
  /** Of 1 to 10: for how many connections this user counts. Absent = 1. */
  readonly weight?: number;
};

export type Place = { readonly key: string; readonly partition: number; readonly weight: number };

/** Of a connection that has no session yet. */
export const NO_PLACE: Place = { key: "", partition: 0, weight: 1 };

const KEY_NOTE = "place.key";
const WEIGHT_NOTE = "place.weight";

/** What the claims say; a weight outside of the range is brought into it, anything else that is not understood is left out. */
export function placementOf(claims: Readonly<Record<string, unknown>>): Placement {
  const { key, weight } = claims;
  return {
    ...(typeof key === "string" && key !== "" && key.length <= 256 ? { key } : {}),
    ...(typeof weight === "number" && Number.isFinite(weight) ? { weight: boundedWeight(weight) } : {}),
  };
}

function boundedWeight(weight: number): number {
  return Math.min(WEIGHTS.max, Math.max(WEIGHTS.min, Math.round(weight)));
}

/** As notes of the session. */
export function placementNotes({ key, weight }: Placement): Pick<SessionRow, "notes"> {
  const notes = {
    ...(key === undefined ? {} : { [KEY_NOTE]: key }),
    ...(weight === undefined ? {} : { [WEIGHT_NOTE]: String(weight) }),
  };
  return Object.keys(notes).length > 0 ? { notes } : {};
}

export function placeOf({ user, tenant, notes }: Pick<SessionRow, "user" | "tenant" | "notes">): Place {
  const key = notes?.[KEY_NOTE] ?? (tenant === DEFAULT_TENANT ? user : tenant);
  const weight = Number(notes?.[WEIGHT_NOTE] ?? WEIGHTS.min);
  return { key, partition: partitionOf(key), weight: Number.isFinite(weight) ? boundedWeight(weight) : WEIGHTS.min };
}
