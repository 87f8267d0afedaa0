// Sends `migrate` when its time has come and follows each move to its end. Not here: whether a grant is valid (contract/), when and to
// whom (pacing.ts, candidates.ts), the client's side.

import { randomBytes } from "node:crypto";
import { CLOSE_CODES, FORMAT_VERSIONS } from "@wscluster/protocol";
import type { Grant, IntentId, Ticket } from "@wscluster/protocol";
import type { Connection } from "../session/connection.ts";
import type { MoveWatcher } from "../session/context.ts";
import { LEAVE_WITHIN_MS } from "../session/connection.ts";
import type { Registry } from "../session/registry.ts";
import { candidateOf, orderCandidates } from "./candidates.ts";
import type { Selection } from "./candidates.ts";
import { sendTimes, targetOrder } from "./pacing.ts";
import type { ReceiptLedger } from "./receipt-ledger.ts";

export type Order = {
  readonly intent: IntentId;
  readonly count: number;
  readonly windowMs: number;
  readonly targets: Grant["targets"];
  readonly deadlineMs: number;
  readonly select?: Selection;
  /** Ask clients that cannot move to come back by themselves. */
  readonly cutOthers: boolean;
};

type Batch = {
  readonly order: Order;
  readonly times: readonly number[];
  readonly endMs: number;
  readonly targets: readonly string[];
  readonly candidates: readonly Connection[];
  sent: number;
  nextCandidate: number;
};

type Move = {
  readonly id: string;
  readonly intent: IntentId;
  readonly connection: Connection;
  readonly deadlineAtMs: number;
};

export type MoverParts = {
  readonly podKey: string;
  readonly registry: Registry;
  readonly ledger: ReceiptLedger;
  readonly signTicket: (ticket: Ticket) => string;
  readonly now: () => number;
  readonly random: () => number;
  readonly onOutcome: (outcome: string) => void;
  /** A move that misses its deadline ends with a close: the pod goes. */
  readonly isFinal: () => boolean;
};

/** A send that is later than this lapses. */
const STALL_MS = 250;

export class Mover implements MoveWatcher {
  readonly #parts: MoverParts;
  readonly #moves = new Map<string, Move>();
  /** Moves whose socket broke, by session, until it is known what became of it. */
  readonly #unresolved = new Map<string, IntentId>();
  /** The operator's grant in force, and the pod's own batch when it was told to end. They share connections: nobody is asked twice. */
  #granted: Batch | undefined;
  #own: Batch | undefined;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  get moving(): number {
    return this.#moves.size;
  }

  /** Replaces the unused rest of the grant before. */
  grant(order: Order): void {
    this.#granted = this.#batchOf(order);
  }

  /** The pod's own moves on its way out. */
  drain(order: Order): void {
    this.#own = this.#batchOf(order);
  }

  get isDraining(): boolean {
    return this.#own !== undefined && this.#own.sent < this.#own.times.length;
  }

  #batchOf(order: Order): Batch {
    const start = this.#parts.now();
    const free = [...this.#parts.registry.sessions.values()].filter((connection) => isFree(connection));
    const candidates = orderCandidates(
      free.map((connection) => candidateOf(connection)),
      order.select ?? {},
      this.#parts.random,
    );
    const movable = candidates.filter(({ canMove }) => canMove || order.cutOthers);
    const targets = targetOrder(order.targets, order.count);
    // Sending slots beyond what can be used would only make the pace uneven.
    const count = Math.min(order.count, movable.length, targets.length);
    return {
      order,
      times: sendTimes(start, order.windowMs, count),
      endMs: start + order.windowMs,
      targets,
      candidates: movable.map(({ connection }) => connection),
      sent: 0,
      nextCandidate: 0,
    };
  }

  /** Sends what is due and settles what is late. Called every few milliseconds while there is something to do. */
  step(): void {
    const now = this.#parts.now();
    if (this.#granted && !this.#stepBatch(this.#granted, now)) this.#granted = undefined;
    if (this.#own && !this.#stepBatch(this.#own, now)) this.#own = undefined;
    for (const move of this.#moves.values()) if (now >= move.deadlineAtMs) this.#settleLate(move);
    for (const connection of this.#parts.registry.leaving) {
      if (now - connection.leftAtMs >= LEAVE_WITHIN_MS) connection.socket.terminate();
    }
  }

  get isIdle(): boolean {
    return !this.#granted && !this.#own && this.#moves.size === 0 && this.#parts.registry.leaving.size === 0;
  }

  /** False when the batch is used up or its window is over. */
  #stepBatch(batch: Batch, now: number): boolean {
    while (batch.sent < batch.times.length) {
      const due = batch.times[batch.sent];
      if (due === undefined || due > now) return true;
      if (now - due > STALL_MS) {
        // This process did not run for a while: what was due then must not burst out now.
        batch.sent += 1;
        continue;
      }
      const connection = nextFree(batch);
      const target = batch.targets[batch.sent];
      if (!connection || target === undefined) return false;
      // Debited on sending, never given back: an unknown outcome must not let more through.
      batch.sent += 1;
      this.ask(connection, target, batch.order);
    }
    return batch.sent < batch.times.length && now < batch.endMs;
  }

  /** Sends `migrate` now; a client that does not know it is closed with the window instead. The move's id. */
  ask(connection: Connection, target: string, order: Pick<Order, "intent" | "deadlineMs">): string | undefined {
    const { row } = connection;
    if (!row) return undefined;
    const { intent, deadlineMs } = order;
    const id = randomBytes(9).toString("base64url");
    this.#parts.ledger.count(intent, "offered");
    if (!connection.caps.has("migrate")) {
      this.#count(intent, "cut");
      connection.end(this.#parts.isFinal() ? "drain" : "rebalance", { minMs: 0, maxMs: 3_000 });
      return id;
    }
    const ticket = this.#parts.signTicket({
      v: FORMAT_VERSIONS.ticket,
      session: row.id,
      g: row.g,
      to: target,
      from: this.#parts.podKey,
      intent,
      id,
    });
    connection.askedMove = id;
    this.#moves.set(id, { id, intent, connection, deadlineAtMs: this.#parts.now() + deadlineMs });
    const reason = intent.slice(0, intent.indexOf("/"));
    connection.send({ t: "migrate", id, pod: target, ticket, deadlineMs, reason });
    return id;
  }

  /** Closes everybody that is left, with the window. */
  cutAll(intent: IntentId, window: { readonly minMs: number; readonly maxMs: number }): number {
    let count = 0;
    for (const connection of this.#parts.registry.sessions.values()) {
      const move = this.#take(connection);
      if (!move) this.#parts.ledger.count(intent, "offered");
      this.#count(move?.intent ?? intent, "cut");
      connection.end("drain", window);
      count += 1;
    }
    for (const connection of this.#parts.registry.all) connection.socket.close(CLOSE_CODES.drain.code, "drain");
    return count;
  }

  // ---- MoveWatcher --------------------------------------------------------------------------------------------------------

  failed(connection: Connection, id: string): void {
    const move = this.#moves.get(id);
    if (move?.connection !== connection) return;
    this.#take(connection);
    this.#count(move.intent, "refused");
  }

  left(connection: Connection): void {
    // The script that made it leave has counted it.
    if (this.#take(connection)) this.#parts.onOutcome("moved");
  }

  closed(connection: Connection): void {
    const move = this.#take(connection);
    if (!move || !connection.row) return;
    // It may be on its way back, by a resume that counts, or the news of its commit may be on its way to us.
    this.#unresolved.set(connection.row.id, move.intent);
    this.#parts.onOutcome("broken");
  }

  settled(session: string, gone: boolean): void {
    const intent = this.#unresolved.get(session);
    this.#unresolved.delete(session);
    if (intent !== undefined && gone) this.#parts.ledger.count(intent, "unknown");
  }

  #settleLate(move: Move): void {
    this.#take(move.connection);
    this.#count(move.intent, "late");
    if (this.#parts.isFinal()) move.connection.end("moveDeadline", { minMs: 0, maxMs: 3_000 });
  }

  #take(connection: Connection): Move | undefined {
    const id = connection.askedMove;
    connection.askedMove = undefined;
    const move = id === undefined ? undefined : this.#moves.get(id);
    if (move) this.#moves.delete(move.id);
    return move;
  }

  #count(intent: IntentId, outcome: "refused" | "late" | "cut"): void {
    this.#parts.ledger.count(intent, outcome);
    this.#parts.onOutcome(outcome);
  }
}

function isFree(connection: Connection): boolean {
  return connection.state === "ready" && connection.askedMove === undefined;
}

function nextFree(batch: Batch): Connection | undefined {
  while (batch.nextCandidate < batch.candidates.length) {
    const connection = batch.candidates[batch.nextCandidate];
    batch.nextCandidate += 1;
    if (connection && isFree(connection)) return connection;
  }
  return undefined;
}
