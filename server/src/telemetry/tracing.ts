// Where a sampled message spent its time: from the publish to the store's answer, and on each pod from the store to the sockets. Not
// here: OpenTelemetry (otel.ts), which only a server that traces loads.

import type { Broker, PublishRequest, PublishResult } from "../broker/port.ts";

export type SendSpan = {
  /** W3C `traceparent`; goes with the message. */
  readonly trace: string;
  end(result: PublishResult["kind"]): void;
};

export type DeliveryFacts = {
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly delivered: number;
  readonly failed: number;
};

export type Tracing = {
  /** Undefined for a message that is not sampled. */
  readonly send: (stream: string, bytes: number) => SendSpan | undefined;
  /** One turn of a channel, with the traces of the sampled messages in it. */
  readonly deliver: (stream: string, traces: readonly string[], facts: DeliveryFacts) => void;
  /** Sends what is waiting. */
  readonly stop: () => Promise<void>;
};

const TRACEPARENT = /^00-([\da-f]{32})-([\da-f]{16})-01$/;

/** The ids of a sampled `traceparent`, `undefined` for anything else. */
export function traceOf(text: unknown): { readonly traceId: string; readonly spanId: string } | undefined {
  const [, traceId, spanId] = typeof text === "string" ? (TRACEPARENT.exec(text) ?? []) : [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}

/** Reaches the broker before it returns, so that calls keep their order. */
export async function tracedPublish(
  broker: Pick<Broker, "publish">,
  tracing: Tracing | undefined,
  request: PublishRequest,
): Promise<PublishResult> {
  const span = tracing?.send(request.stream, request.data.length);
  if (!span) return broker.publish(request);
  const result = await broker.publish({ ...request, trace: span.trace });
  span.end(result.kind);
  return result;
}
