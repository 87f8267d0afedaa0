// What a server publishes by itself, to whomever: code of the application, the back-end API, what comes in from Redis and Kafka.
// Not here: publishes of clients (session/publish-lane.ts).

import { randomUUID } from "node:crypto";
import { SERVER_PUBLISHER, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Broker } from "../broker/port.ts";
import { streamOfTarget } from "../session/channel-names.ts";
import type { Target } from "../session/channel-names.ts";
import { tracedPublish } from "../telemetry/tracing.ts";
import type { Tracing } from "../telemetry/tracing.ts";

export const PUBLISH_ERRORS = {
  "bad-target": "The target has no name that could exist.",
  "bad-payload": "The data cannot be written as JSON, or is larger than the limit.",
  unavailable:
    "The store did not answer in time; nothing is known to be written. Again with the same key stores it once.",
} as const;

export type PublishErrorCode = keyof typeof PUBLISH_ERRORS;

/** Switch on `code`, never on the message. */
export class PublishError extends Error {
  readonly code: PublishErrorCode;
  constructor(code: PublishErrorCode, what: string) {
    super(`cannot publish to ${what}: ${PUBLISH_ERRORS[code]}`);
    this.code = code;
  }
}

export type ServerPublishOptions = {
  /** What comes again under the same key within five minutes is stored once. Default: a random one, which covers lost connections to the store. */
  readonly key?: string;
  /** Name of the part that publishes: the messages' publisher is `~server/NAME`. Default "app". */
  readonly from?: string;
};

export type ServerPublished = { readonly epoch: string; readonly offset: number; readonly dup: boolean };

export class ServerPublisher {
  readonly #broker: Broker;
  readonly #tracing: Tracing | undefined;

  /** @param tracing absent = nothing is traced. */
  constructor(broker: Broker, tracing?: Tracing) {
    this.#broker = broker;
    this.#tracing = tracing;
  }

  /** Stores and delivers. Rejects with `PublishError`. */
  async publish(target: Target, data: unknown, options: ServerPublishOptions = {}): Promise<ServerPublished> {
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) throw new PublishError("bad-payload", nameOf(target));
    return this.publishText(target, text, options);
  }

  /** The same with JSON text. */
  async publishText(
    target: Target,
    text: string,
    { key = randomUUID(), from = "app" }: ServerPublishOptions = {},
  ): Promise<ServerPublished> {
    const stream = this.#streamOf(target);
    if (Buffer.byteLength(text) > WIRE_DEFAULTS.maxPayloadBytes) throw new PublishError("bad-payload", nameOf(target));
    const user = `${SERVER_PUBLISHER}${from}`;
    const result = await tracedPublish(this.#broker, this.#tracing, { stream, key, user, data: text });
    if (result.kind !== "stored" && result.kind !== "dup") throw new PublishError("unavailable", nameOf(target));
    return { epoch: result.epoch, offset: result.offset, dup: result.kind === "dup" };
  }

  /** Delivers to who is there now, at most once, and stores nothing. Throws `PublishError` `bad-target`. */
  publishEphemeral(target: Target, data: unknown, { from = "app" }: Pick<ServerPublishOptions, "from"> = {}): void {
    this.#broker.publishEphemeral(this.#streamOf(target), `${SERVER_PUBLISHER}${from}`, JSON.stringify(data) ?? "null");
  }

  #streamOf(target: Target): string {
    const stream = streamOfTarget(target);
    if (stream === undefined) throw new PublishError("bad-target", nameOf(target));
    return stream;
  }
}

function nameOf(target: Target): string {
  return target.type === "all" ? "everybody" : `${target.type} ${JSON.stringify(target.id)}`;
}
