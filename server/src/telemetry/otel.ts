// Tracing by OpenTelemetry over OTLP/HTTP. Loaded only where tracing is on. Not here: what is traced (tracing.ts).

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import type { SpanContext } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { traceOf } from "./tracing.ts";
import type { Tracing } from "./tracing.ts";

export type TracingOptions = {
  /** Where spans go: a collector's URL, or an exporter of your own. */
  readonly to: string | SpanExporter;
  /** Of 1,000 messages so many are traced. */
  readonly permille: number;
  /** Of the resource. */
  readonly attributes: Readonly<Record<string, string>>;
  /** In [0, 1). */
  readonly random?: () => number;
};

const SYSTEM = { "messaging.system": "wscluster" };

export function startTracing({ to, permille, attributes, random = Math.random }: TracingOptions): Tracing {
  const exporter = typeof to === "string" ? new OTLPTraceExporter({ url: to }) : to;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "wscluster-server", ...attributes }),
    // Whether a message is traced is decided before there is a span: the others cost one random number.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("wscluster");
  return {
    send(stream, bytes) {
      if (random() * 1_000 >= permille) return undefined;
      const span = tracer.startSpan(
        `send ${stream}`,
        {
          kind: SpanKind.PRODUCER,
          attributes: {
            ...SYSTEM,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": stream,
            "messaging.message.body.size": bytes,
          },
        },
        ROOT_CONTEXT,
      );
      const { traceId, spanId } = span.spanContext();
      return {
        trace: `00-${traceId}-${spanId}-01`,
        end(result) {
          span.setAttribute("wscluster.publish.result", result);
          if (result !== "stored" && result !== "dup") span.setStatus({ code: SpanStatusCode.ERROR, message: result });
          span.end();
        },
      };
    },
    deliver(stream, traces, { startedAtMs, delivered, failed }) {
      const [first, ...others] = traces.flatMap((text) => spanContextOf(text) ?? []);
      if (!first) return;
      const span = tracer.startSpan(
        `process ${stream}`,
        {
          kind: SpanKind.CONSUMER,
          startTime: startedAtMs,
          // One turn for all: the messages that came with the first one are linked, and so are subscribers not each a span.
          links: others.map((context) => ({ context })),
          attributes: {
            ...SYSTEM,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": stream,
            "messaging.batch.message_count": traces.length,
            "wscluster.deliveries": delivered,
            "wscluster.deliveries.lagging": failed,
          },
        },
        trace.setSpanContext(ROOT_CONTEXT, first),
      );
      span.end();
    },
    stop: () => provider.shutdown(),
  };
}

function spanContextOf(text: string): SpanContext | undefined {
  const ids = traceOf(text);
  return ids && { ...ids, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}
