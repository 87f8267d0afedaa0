// What a session carries along of its identity, as notes. Pure. Not here: reading them (placement.ts, revocations.ts).

import type { SessionRow } from "../broker/port.ts";
import type { Identity } from "./identity.ts";
import { placementNotes } from "./placement.ts";
import { AUTH_NOTE } from "./revocations.ts";

export function identityNotes(identity: Identity): Pick<SessionRow, "notes"> {
  const { notes } = placementNotes(identity);
  if (!identity.auth) return notes ? { notes } : {};
  return { notes: { ...notes, [AUTH_NOTE]: JSON.stringify(identity.auth) } };
}
