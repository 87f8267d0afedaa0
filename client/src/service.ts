// Questions to the server beside channels and publishes: asked again until somebody answers. Only for questions that may be asked
// twice. Not here: what is asked (presence.ts, inbox.ts).

import type { ClientFrame, ServerFrame } from "@wscluster/protocol";
import { CLIENT_DEFAULTS, isRetryable } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ClientError } from "./errors.ts";

type Question = Extract<ClientFrame, { readonly i: number }>;
/** A client frame without its request id. */
export type Unnumbered = Question extends infer F ? (F extends Question ? Omit<F, "i"> : never) : never;
type Answer = Extract<ServerFrame, { readonly i: number }>;

const RETRY_MS = 250;

/**
 * Asks once the client is live, and again after a break or a silence.
 * Rejects with `refused`, `closed` or `given-up`.
 */
export async function ask(client: Client, what: string, question: Unnumbered): Promise<Answer> {
  for (;;) {
    await client.ready();
    const answer = await askOnce(client, question);
    if (answer && answer.t !== "err") return answer;
    if (answer?.t === "err" && !isRetryable(answer.code)) {
      throw new ClientError("refused", `cannot ${what}: ${answer.message}`, { wireCode: answer.code });
    }
    await new Promise((wake) => setTimeout(wake, (answer?.t === "err" && answer.afterMs) || RETRY_MS));
  }
}

/** `undefined` when no answer came: the connection changed meanwhile, or it took too long. */
function askOnce(client: Client, question: Unnumbered): Promise<Answer | ErrorAnswer | undefined> {
  const { wire } = client;
  const i = wire.nextRequestId();
  return new Promise((resolve) => {
    const finish = (answer?: Answer | ErrorAnswer): void => {
      clearTimeout(timer);
      wire.taps.delete(tap);
      for (const stop of stops) stop();
      resolve(answer);
    };
    const tap = (frame: ServerFrame): void => {
      if ("i" in frame && frame.i === i) finish(frame as Answer | ErrorAnswer);
    };
    const timer = setTimeout(finish, CLIENT_DEFAULTS.requestTimeoutMs);
    const stops = (["disconnect", "committed", "given-up"] as const).map((type) => client.on(type, () => finish()));
    wire.taps.add(tap);
    if (!wire.sendEphemeral(JSON.stringify({ ...question, i }))) finish();
  });
}

type ErrorAnswer = Extract<ServerFrame, { readonly t: "err" }>;

/** Calls back now, if live, and whenever the session is at home on another socket. Returns the function that stops it. */
export function onHome(client: Client, run: () => void): () => void {
  const stops = (["ready", "committed"] as const).map((type) => client.on(type, run));
  if (client.state === "live") run();
  return () => {
    for (const stop of stops) stop();
  };
}
