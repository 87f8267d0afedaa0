// Publishes of one connection on their way to the store: answers, and a bound on how many wait. Not here: who may publish where.

import type { ClientFrame } from "@wscluster/protocol";
import type { PublishResult } from "../broker/port.ts";
import { verdictOf } from "../app/hooks.ts";
import { handleOf } from "../app/session-handle.ts";
import { tracedPublish } from "../telemetry/tracing.ts";
import type { Connection } from "./connection.ts";
import { Turns } from "./turns.ts";

type PublishFrame = Extract<ClientFrame, { readonly t: "pub" }>;

/** Publishes without an answer above which the socket is not read. */
const OUTSTANDING_HIGH = 256;
const OUTSTANDING_LOW = 128;

export class PublishLane {
  #outstanding = 0;
  #paused = false;
  readonly #turns = new Turns();

  /** The application is asked in the order of the messages of a channel, and these keep it. */
  async #askFirst(
    connection: Connection,
    { channel, seq, data }: { readonly channel: string; readonly seq: number; readonly data: string },
    store: () => Promise<PublishResult>,
  ): Promise<PublishResult | Refused> {
    const { context, producer } = connection;
    return new Promise((resolve) => {
      this.#turns.run(channel, async () => {
        const key = `${producer?.id}/${producer?.gen}/${seq}`;
        const publish = { channel, data: JSON.parse(data) as unknown, text: data, key };
        const verdict = await verdictOf(
          () => context.hooks.beforePublish?.(handleOf(connection), publish),
          (error) => context.log.warn({ err: error, channel }, "the hook beforePublish failed"),
        );
        if (verdict.ok) resolve(await store());
        else
          resolve(verdict.code === "refused" ? { kind: "refused", message: verdict.message } : { kind: "unavailable" });
      });
    });
  }

  /** Calls of one connection reach the store in their order. */
  add(connection: Connection, { i, c, s: seq }: PublishFrame, data: string): void {
    const { row, producer, socket, context } = connection;
    if (!row || !producer) return;
    const startedMs = performance.now();
    this.#outstanding += 1;
    if (this.#outstanding >= OUTSTANDING_HIGH && !this.#paused) {
      this.#paused = true;
      socket.pause();
    }
    const { hooks } = context;
    const store = (): Promise<PublishResult> =>
      tracedPublish(context.broker, context.tracing, {
        stream: `${row.tenant}/${c}`,
        producer: `${row.tenant}/${row.user}/${producer.id}`,
        gen: producer.gen,
        seq,
        user: row.user,
        data,
      });
    void (hooks.beforePublish ? this.#askFirst(connection, { channel: c, seq, data }, store) : store()).then(
      (result) => {
        this.#outstanding -= 1;
        if (this.#paused && this.#outstanding <= OUTSTANDING_LOW) {
          this.#paused = false;
          socket.resume();
        }
        if (result.kind === "refused") {
          connection.fail("refused", i, { message: result.message });
          return;
        }
        context.metrics.add("wscluster_publishes_total", 1, { result: result.kind });
        context.metrics.observe("wscluster_publish_seconds", (performance.now() - startedMs) / 1_000);
        answer(connection, i, result);
      },
    );
  }
}

type Refused = { readonly kind: "refused"; readonly message: string };

function answer(connection: Connection, i: number, result: PublishResult): void {
  switch (result.kind) {
    case "stored":
      connection.send({ t: "pub.ok", i, e: result.epoch, o: result.offset });
      return;
    case "dup":
      connection.send({ t: "pub.ok", i, e: result.epoch, o: result.offset, dup: true });
      return;
    case "out-of-order":
      connection.fail("out-of-order", i, { last: result.last });
      return;
    case "fenced":
      connection.fail("fenced", i);
      return;
    case "unavailable":
      connection.fail("unavailable", i);
  }
}
