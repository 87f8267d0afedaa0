// Order of contract writes: one counter per pod over both endpoints. Pure apart from its own state. Not here: HMAC, HTTP.

import type { WriteAnswer } from "@wscluster/protocol";

export type Verdict = { readonly kind: "new" } | { readonly kind: "known" | "refused"; readonly answer: WriteAnswer };

export class WriteGate {
  #epoch = 0;
  #seq = 0;
  #answer: WriteAnswer | undefined;
  #refused = 0;

  get epoch(): number {
    return this.#epoch;
  }

  get seq(): number {
    return this.#seq;
  }

  get refusedWrites(): number {
    return this.#refused;
  }

  /** Same epoch and seq: the same answer again. Lower: refused. A higher epoch may begin at any seq. */
  judge(epoch: number, seq: number): Verdict {
    if (epoch < this.#epoch) return { kind: "refused", answer: this.refuse("stale-epoch", "a later epoch was seen") };
    if (epoch === this.#epoch && seq === this.#seq && this.#answer) return { kind: "known", answer: this.#answer };
    if (epoch === this.#epoch && seq <= this.#seq) {
      return { kind: "refused", answer: this.refuse("stale-seq", "a later seq was seen") };
    }
    return { kind: "new" };
  }

  /** The write took effect. */
  accept(epoch: number, seq: number): WriteAnswer {
    this.#epoch = epoch;
    this.#seq = seq;
    this.#answer = { ok: true, epoch, seq };
    return this.#answer;
  }

  refuse(code: Extract<WriteAnswer, { readonly ok: false }>["code"], message: string): WriteAnswer {
    this.#refused += 1;
    return { ok: false, code, message, epoch: this.#epoch, seq: this.#seq };
  }
}
