// One timing wheel for all sockets: each is visited once per heartbeat. Any inbound byte is life; a socket with traffic both ways gets
// no ping. Not here: closing codes' meaning.

import { CLOSE_CODES } from "@wscluster/protocol";
import { HEARTBEAT, PLAIN_HEARTBEAT } from "./wire-frame.ts";
import type { ClientSocket } from "./client-socket.ts";

const SLICES = 64;
/** Pings that may go unanswered. */
const MISSED_PONGS = 2;

export type Visit = "none" | "ping" | "dead" | "stuck";

/** What a visit finds, from the counters of this and the last one. Pure. */
export function visitOf(seen: {
  readonly read: boolean;
  readonly sent: boolean;
  readonly waiting: boolean;
  readonly silentVisits: number;
  readonly stuckVisits: number;
}): Visit {
  if (seen.waiting && !seen.sent && seen.stuckVisits >= MISSED_PONGS) return "stuck";
  if (!seen.read && seen.silentVisits >= MISSED_PONGS) return "dead";
  return seen.read && seen.sent ? "none" : "ping";
}

export class HeartbeatWheel {
  readonly #slices: Set<ClientSocket>[] = Array.from({ length: SLICES }, () => new Set());
  readonly #sliceOf = new Map<ClientSocket, number>();
  #next = 0;
  #position = 0;
  #timer: NodeJS.Timeout | undefined;

  add(socket: ClientSocket): void {
    const slice = this.#next;
    this.#next = (this.#next + 1) % SLICES;
    this.#sliceOf.set(socket, slice);
    this.#slices[slice]?.add(socket);
    // Its first visit may be a moment away: a ping before `hello` would be answered before it, and that answer be taken for a bad one.
    socket.seenBytesRead = -1;
    socket.seenBytesWritten = -1;
  }

  remove(socket: ClientSocket): void {
    const slice = this.#sliceOf.get(socket);
    if (slice === undefined) return;
    this.#sliceOf.delete(socket);
    this.#slices[slice]?.delete(socket);
  }

  /** @param heartbeatMs read before each turn, so that a reload takes effect. */
  start(heartbeatMs: () => number): void {
    const turn = () => {
      this.step();
      this.#timer = setTimeout(turn, Math.max(5, heartbeatMs() / SLICES));
    };
    this.#timer = setTimeout(turn, Math.max(5, heartbeatMs() / SLICES));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Visits the next slice. */
  step(): void {
    const slice = this.#slices[this.#position];
    this.#position = (this.#position + 1) % SLICES;
    for (const socket of slice ?? []) this.#visit(socket);
  }

  #visit(socket: ClientSocket): void {
    const read = socket.bytesRead !== socket.seenBytesRead;
    const sent = socket.bytesSent !== socket.seenBytesWritten;
    const waiting = socket.waitingBytes > 0;
    const visit = visitOf({ read, sent, waiting, silentVisits: socket.silentVisits, stuckVisits: socket.stuckVisits });
    socket.seenBytesRead = socket.bytesRead;
    socket.seenBytesWritten = socket.bytesSent;
    socket.silentVisits = read ? 0 : socket.silentVisits + 1;
    socket.stuckVisits = waiting && !sent ? socket.stuckVisits + 1 : 0;
    if (visit === "ping") socket.push(socket.arrival.plain ? PLAIN_HEARTBEAT : HEARTBEAT);
    else if (visit === "stuck") socket.close(CLOSE_CODES.slowConsumer.code, CLOSE_CODES.slowConsumer.name);
    else if (visit === "dead") socket.close(CLOSE_CODES.noPong.code, CLOSE_CODES.noPong.name);
  }
}
