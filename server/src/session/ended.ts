// What the end of a session leads to: nobody resumed it. Not here: finding that out.

import type { SessionRow } from "../broker/port.ts";
import type { SessionContext } from "./context.ts";

export function sessionEnded({ presence, hooks, log }: SessionContext, row: SessionRow): void {
  presence.ended(row);
  const { id, user, tenant, device } = row;
  if (!hooks.disconnect) return;
  const tell = async (): Promise<void> => void (await hooks.disconnect?.({ id, user, tenant, device }));
  tell().catch((error: unknown) => log.warn({ err: error, session: id }, "the hook disconnect failed"));
}
