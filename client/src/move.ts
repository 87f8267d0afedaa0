// One move to another pod without a gap: a second socket is prepared, read along, and committed; only then the first one is left.
// Not here: what happens to the client's connection around it (session.ts).
//
//   connecting ──opened──▶ preparing ──welcomed──▶ prepared ──commit──▶ committing ──committed──▶ settling ──settled──▶ over
//       │                      │                      │                     │
//       └───────── fail ───────┴──────── fail ────────┘                     └─ fail: refused, or nobody knows
//
// fail before the commit: `migrate.fail` on the old socket, and stay. No answer to the commit: the session may live on either pod,
// so both sockets are left and a plain resume decides.

import type { MigrateFrame, ServerFrame, WireErrorName } from "@wscluster/protocol";
import { CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Clock, TimerHandle } from "./clock.ts";
import type { Link } from "./link.ts";

export type MovePhase = "connecting" | "preparing" | "prepared" | "committing" | "settling" | "over";
export type MoveEvent = "opened" | "welcomed" | "commit" | "committed" | "settled" | "fail";

export const moveTransitions = {
  connecting: { opened: "preparing", fail: "over" },
  preparing: { welcomed: "prepared", fail: "over" },
  prepared: { commit: "committing", fail: "over" },
  committing: { committed: "settling", fail: "over" },
  settling: { settled: "over", fail: "over" },
  over: {},
} as const satisfies Record<MovePhase, Partial<Record<MoveEvent, MovePhase>>>;

/** Why a move was not made; goes to the source in `migrate.fail`. */
export type MoveFailure =
  | "connect-failed"
  | "timeout"
  | "not-prepared"
  | "commit-refused"
  | "replaced"
  | "source-lost"
  | "closed";

export interface MoveHost {
  nextRequestId(): number;
  /** Says `hello` with `prepare` on the second socket. */
  sendPrepare(candidate: Link, ticket: string): void;
  /** Nothing is missed if the second socket alone goes on. */
  hasCaughtUp(candidate: Link): boolean;
  onPrepared(move: Move): void;
  /** `commit` is about to be sent: no write goes to the old socket any more. */
  onCommitting(move: Move): void;
  /** The session lives on the second socket: writes go there. */
  onCommitted(move: Move, generation: number, heldMs: number): void;
  /** Nothing is awaited on the old socket any more. */
  isSettled(move: Move): boolean;
  /** Time to close the old socket. */
  onSettled(move: Move, tookMs: number): void;
  /** The old socket stays the connection. */
  onFailed(move: Move, why: MoveFailure): void;
  /** The commit may or may not have happened. */
  onUnknown(move: Move): void;
}

/** Part of the deadline that the client uses up: the source must hear `migrate.fail` before it gives up by itself. */
const DEADLINE_SHARE = 0.9;
const RETRY_MS = 250;

export class Move {
  readonly frame: MigrateFrame;
  readonly source: Link;
  readonly candidate: Link;
  readonly #host: MoveHost;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #phase: MovePhase = "connecting";
  #isReady = false;
  #commitRequest = 0;
  #committingAtMs = 0;
  #timer: TimerHandle | undefined;

  constructor(host: MoveHost, clock: Clock, frame: MigrateFrame, source: Link, candidate: Link) {
    this.#host = host;
    this.#clock = clock;
    this.frame = frame;
    this.source = source;
    this.candidate = candidate;
    this.#startedAtMs = clock.now();
    this.#arm(frame.deadlineMs * DEADLINE_SHARE, () => this.#fail("timeout"));
  }

  get phase(): MovePhase {
    return this.#phase;
  }

  /** The commit was sent and not answered. */
  get isCommitting(): boolean {
    return this.#phase === "committing";
  }

  onOpen(): void {
    if (!this.#go("opened")) return;
    this.#host.sendPrepare(this.candidate, this.frame.ticket);
  }

  /** Frames of the second socket that concern the move itself. */
  onFrame(frame: ServerFrame): void {
    if (frame.t === "welcome") {
      if (frame.prepared) {
        if (this.#go("welcomed")) this.#host.onPrepared(this);
      } else if (frame.resumed && this.#phase === "preparing") {
        // A server that takes over at once: the session lives there already.
        this.#phase = "committing";
        this.#committingAtMs = this.#clock.now();
        this.#host.onCommitting(this);
        this.#onCommitted(frame.g);
      } else this.#fail("not-prepared");
    } else if (frame.t === "ready") {
      this.#isReady = true;
    } else if (frame.t === "commit.ok" && frame.i === this.#commitRequest) {
      this.#onCommitted(frame.g);
    } else if (frame.t === "err") {
      if (this.#phase === "committing" && frame.i === this.#commitRequest) this.#onCommitError(frame.code);
      else if (this.#phase === "preparing") this.#fail("not-prepared");
    }
  }

  /** Looks whether the next step can be made; to be called after any frame on either socket. */
  advance(): void {
    if (this.#phase === "prepared" && this.#isReady && this.#host.hasCaughtUp(this.candidate)) this.#commit();
    else if (this.#phase === "settling" && this.#host.isSettled(this)) this.#settle();
  }

  /** The second socket ended. */
  onCandidateDown(): void {
    if (this.#phase === "committing") this.#unknown();
    else if (this.#phase !== "settling") this.#fail(this.#phase === "connecting" ? "connect-failed" : "not-prepared");
  }

  /** The old socket ended. True: the move goes on, its commit is all that is missing. False: it is over, resume with the ticket. */
  onSourceDown(): boolean {
    if (this.#phase === "prepared") this.#commit();
    if (this.#phase === "committing") return true;
    if (this.#phase === "settling") {
      this.#settle();
      return true;
    }
    this.abandon();
    return false;
  }

  /** Ends the move without a word to anybody. */
  abandon(): void {
    if (this.#phase === "over") return;
    this.#end("fail");
    this.candidate.close();
  }

  #commit(): void {
    if (!this.#go("commit")) return;
    this.#committingAtMs = this.#clock.now();
    this.#arm(CLIENT_DEFAULTS.requestTimeoutMs, () => this.#unknown());
    this.#host.onCommitting(this);
    this.#sendCommit();
  }

  #sendCommit(): void {
    if (this.#phase !== "committing") return;
    this.#commitRequest = this.#host.nextRequestId();
    this.candidate.send({ t: "commit", i: this.#commitRequest });
  }

  #onCommitError(code: WireErrorName): void {
    // The store did not answer: it may have happened. The same ticket may be asked for again, until somebody knows.
    if (code === "unavailable") this.#clock.setTimer(() => this.#sendCommit(), RETRY_MS);
    else this.#fail("commit-refused");
  }

  #onCommitted(generation: number): void {
    if (!this.#go("committed")) return;
    this.#arm(CLIENT_DEFAULTS.requestTimeoutMs, () => this.#settle());
    this.#host.onCommitted(this, generation, this.#clock.now() - this.#committingAtMs);
    this.advance();
  }

  #settle(): void {
    if (this.#phase !== "settling") return;
    this.#end("settled");
    this.#host.onSettled(this, this.#clock.now() - this.#startedAtMs);
  }

  #fail(why: MoveFailure): void {
    if (this.#phase === "over" || this.#phase === "settling") return;
    this.#end("fail");
    this.candidate.close();
    this.#host.onFailed(this, why);
  }

  #unknown(): void {
    if (this.#phase !== "committing") return;
    this.#end("fail");
    this.candidate.close();
    this.#host.onUnknown(this);
  }

  #end(event: "fail" | "settled"): void {
    this.#go(event);
    this.#clock.clearTimer(this.#timer);
  }

  #go(event: MoveEvent): boolean {
    const row: Partial<Record<MoveEvent, MovePhase>> = moveTransitions[this.#phase];
    const next = row[event];
    if (!next) return false;
    this.#phase = next;
    return true;
  }

  #arm(delayMs: number, run: () => void): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(run, delayMs);
  }
}
