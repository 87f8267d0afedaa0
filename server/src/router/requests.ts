// The `rpc` frame. Not here: routes.

import type { ClientFrame } from "@wscluster/protocol";
import { handleOf } from "../app/session-handle.ts";
import type { Connection } from "../session/connection.ts";
import { textFrame } from "../transport/wire-frame.ts";
import type { Router } from "./router.ts";

type RpcFrame = Extract<ClientFrame, { readonly t: "rpc" }>;

/** Calls of one connection at a time. */
const MAX_CALLS = 32;
const BUSY_MS = 200;

/** Answers also when the session has gone on to another socket meanwhile: its client waits here. */
export async function answerRpc(connection: Connection, router: Router, frame: RpcFrame, text: string): Promise<void> {
  const { i, m, k, d, again, timeoutMs } = frame;
  if (connection.calls >= MAX_CALLS) return connection.fail("rate-limited", i, { afterMs: BUSY_MS });
  connection.calls += 1;
  const call = { route: m, data: d, text, session: handleOf(connection), key: k };
  const result = await router.call(call, again === true, timeoutMs);
  connection.calls -= 1;
  if (connection.hasClosed()) return;
  switch (result.kind) {
    case "answer":
      connection.socket.push(textFrame(`{"t":"rpc.ok","i":${i},"d":${result.text}}`));
      return;
    case "no-route":
      return connection.fail("no-route", i);
    case "failed":
      return connection.fail("route-failed", i, { message: result.message });
    case "unavailable":
      return connection.fail("unavailable", i, result.afterMs === undefined ? {} : { afterMs: result.afterMs });
    case "unknown":
      return connection.fail("outcome-unknown", i);
  }
}
