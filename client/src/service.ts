// Questions to the server beside channels and publishes: asked again until somebody answers. Only for questions that may be asked
// twice. Not here: what is asked (presence.ts, inbox.ts).

import { isRetryable } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ClientError, isClientError } from "./errors.ts";
import type { Answer, Unnumbered } from "./requests.ts";

export const RETRY_MS = 250;

/**
 * Asks once the client is live, and again after a break or a silence.
 * Rejects with `refused`, `closed` or `given-up`.
 */
export async function ask(client: Client, what: string, question: Unnumbered): Promise<Answer> {
  for (;;) {
    await client.ready();
    const answer = await askOnce(client, question);
    if (answer && answer.t !== "err") return answer;
    if (answer && !isRetryable(answer.code)) throw refusal(what, answer);
    await new Promise((wake) => setTimeout(wake, answer?.afterMs || RETRY_MS));
  }
}

export function refusal(what: string, { message, code }: Extract<Answer, { readonly t: "err" }>): ClientError {
  return new ClientError("refused", `cannot ${what}: ${message}`, { wireCode: code });
}

/** `undefined` when no answer came. */
async function askOnce(client: Client, question: Unnumbered): Promise<Answer | undefined> {
  try {
    return await client.wire.ask(question);
  } catch (error) {
    if (!isClientError(error, "timeout")) throw error;
    return undefined;
  }
}

/** Calls back now, if live, and whenever the session is at home on another socket. Returns the function that stops it. */
export function onHome(client: Client, run: () => void): () => void {
  const stops = (["ready", "committed"] as const).map((type) => client.on(type, run));
  if (client.state === "live") run();
  return () => {
    for (const stop of stops) stop();
  };
}
