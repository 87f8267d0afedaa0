// Hooks that ask an HTTP service of the application. Not here: when they are asked.

import { createHmac } from "node:crypto";
import { HookRefusal } from "./hooks.ts";
import type { Hooks } from "./hooks.ts";
import type { SessionHandle } from "./session-handle.ts";

export const HOOK_NAMES = ["connect", "disconnect", "subscribe", "beforePublish"] as const;
export type HookName = (typeof HOOK_NAMES)[number];

export type WebHookOptions = {
  readonly url: string;
  readonly names: readonly HookName[];
  /** Signs each body: header `x-wsc-signature`, HMAC-SHA256 in hex. */
  readonly secret?: string;
  /** Default 3 s. */
  readonly timeoutMs?: number;
};

type Who = Pick<SessionHandle, "id" | "user" | "tenant" | "device">;

/** POST {hook, session, user, tenant, device, ...}: 2xx = yes, 4xx = refused with its `message`, anything else = a passing fault. */
export function webHooks(options: WebHookOptions): Hooks {
  const post = async (hook: HookName, who: Who, more: Readonly<Record<string, unknown>> = {}): Promise<void> => {
    const { id, user, tenant, device } = who;
    const body = JSON.stringify({ hook, session: id, user, tenant, device, ...more });
    const { secret, timeoutMs = 3_000 } = options;
    const signature =
      secret === undefined ? {} : { "x-wsc-signature": createHmac("sha256", secret).update(body).digest("hex") };
    const response = await fetch(options.url, {
      method: "POST",
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
      headers: { "content-type": "application/json", ...signature },
      body,
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status >= 400 && response.status < 500 && response.status !== 429)
      throw new HookRefusal(messageOf(text));
    throw new Error(`cannot ask the hook ${hook} at ${options.url}: status ${response.status}`);
  };
  const all: Required<Hooks> = {
    connect: (session) => post("connect", session),
    disconnect: (session) => post("disconnect", session),
    subscribe: (session, channel) => post("subscribe", session, { channel }),
    beforePublish: (session, { channel, data, key }) => post("beforePublish", session, { channel, data, key }),
  };
  return Object.fromEntries(options.names.map((name) => [name, all[name]]));
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: unknown };
    return typeof message === "string" ? message.slice(0, 500) : "The application refused it.";
  } catch {
    return "The application refused it.";
  }
}
