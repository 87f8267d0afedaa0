// Notes on the sockets of one client what continuity.ts judges, from the frames that pass. Not here: the sockets themselves.
import type { SocketLife } from "./continuity.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Longest frame that can be one of those looked for. */
const LONGEST_CONTROL_FRAME = 4_096;
const WELCOME = '"welcome"';
const COMMIT_OK = '"commit.ok"';
const COMMIT = '"commit"';

type Frame = { readonly t?: unknown; readonly pod?: unknown; readonly prepared?: unknown; readonly resumed?: unknown };

export class SocketEntry {
  readonly life: Mutable<SocketLife> = {};
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  opened(): void {
    this.life.openedAt = this.#now();
  }

  received(text: string): void {
    // Deliveries are by far the most frames: look at the text before paying for a parse.
    if (text.length > LONGEST_CONTROL_FRAME || !(text.includes(WELCOME) || text.includes(COMMIT_OK))) return;
    const frame = JSON.parse(text) as Frame;
    if (frame.t === "welcome") {
      this.life.welcomedAt = this.#now();
      if (typeof frame.pod === "string") this.life.pod = frame.pod;
      this.life.prepared = frame.prepared === true;
      this.life.resumed = frame.resumed === true;
    } else if (frame.t === "commit.ok") this.life.committedAt = this.#now();
  }

  sent(text: string): void {
    if (text.length > LONGEST_CONTROL_FRAME || !text.includes(COMMIT)) return;
    // A client may send several frames in one array.
    const parsed = JSON.parse(text) as Frame | readonly Frame[];
    const frames = Array.isArray(parsed) ? (parsed as readonly Frame[]) : [parsed as Frame];
    if (frames.some((frame) => frame.t === "commit")) this.life.commitSentAt ??= this.#now();
  }

  /** The client asks for the close. After the other side's close it is only an answer. */
  closing(): void {
    if (this.life.closedAt === undefined) this.life.closeCalledAt ??= this.#now();
  }

  closed(code: number): void {
    if (this.life.closedAt !== undefined) return;
    this.life.closedAt = this.#now();
    this.life.closeCode = code;
  }
}

export class SocketJournal {
  readonly #entries: SocketEntry[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get lives(): readonly SocketLife[] {
    return this.#entries.map((entry) => entry.life);
  }

  begin(): SocketEntry {
    const entry = new SocketEntry(this.#now);
    this.#entries.push(entry);
    return entry;
  }
}
