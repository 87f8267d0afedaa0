// Publishes of one connection on their way to the store: answers, and a bound on how many wait. Not here: who may publish where.

import type { ClientFrame } from "@wscluster/protocol";
import type { PublishResult } from "../broker/port.ts";
import type { Connection } from "./connection.ts";

type PublishFrame = Extract<ClientFrame, { readonly t: "pub" }>;

/** Publishes without an answer above which the socket is not read. */
const OUTSTANDING_HIGH = 256;
const OUTSTANDING_LOW = 128;

export class PublishLane {
  #outstanding = 0;
  #paused = false;

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
    void context.broker
      .publish({
        stream: `${row.tenant}/${c}`,
        producer: `${row.tenant}/${row.user}/${producer.id}`,
        gen: producer.gen,
        seq,
        user: row.user,
        data,
      })
      .then((result) => {
        this.#outstanding -= 1;
        if (this.#paused && this.#outstanding <= OUTSTANDING_LOW) {
          this.#paused = false;
          socket.resume();
        }
        context.metrics.add("wscluster_publishes_total", 1, { result: result.kind });
        context.metrics.observe("wscluster_publish_seconds", (performance.now() - startedMs) / 1_000);
        answer(connection, i, result);
      });
  }
}

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
