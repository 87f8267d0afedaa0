// One call of an HTTP service. Not here: when it is called again (router.ts).

import type { RouteCall, Try } from "./router.ts";

const MAX_ANSWER_BYTES = 256 * 1024;
/** Failures of which the service certainly did not hear. */
const UNHEARD: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** POST with the data as body; who calls is in headers. 2xx = the answer, 4xx = refused with its `message`, else it failed. */
export async function callHttpRoute(url: string, { text, session, key, route, signal }: RouteCall): Promise<Try> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      redirect: "error",
      signal,
      body: text,
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        "x-wsc-route": encodeURIComponent(route),
        "x-wsc-user": encodeURIComponent(session.user),
        "x-wsc-tenant": encodeURIComponent(session.tenant),
        "x-wsc-session": session.id,
        "x-wsc-device": encodeURIComponent(session.device),
      },
    });
    const body = await response.text();
    if (response.status === 429 || response.status === 503) return { kind: "unavailable" };
    if (response.status >= 400 && response.status < 500) return { kind: "failed", message: messageOf(body) };
    if (!response.ok || body.length > MAX_ANSWER_BYTES) return { kind: "maybe" };
    if (body === "") return { kind: "answer", text: "null" };
    JSON.parse(body);
    return { kind: "answer", text: body };
  } catch (error) {
    return { kind: isUnheard(error) ? "unavailable" : "maybe" };
  }
}

function isUnheard(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && UNHEARD.has(String(cause.code));
}

function messageOf(body: string): string {
  try {
    const value = JSON.parse(body) as { readonly message?: unknown };
    return typeof value.message === "string" ? value.message.slice(0, 500) : "The route refused the call.";
  } catch {
    return "The route refused the call.";
  }
}
