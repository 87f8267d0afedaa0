// Shows a changing view: in place on a terminal, else one line every two seconds.
import type { ProgressSink } from "../terminal/progress.ts";
import { viewLine, viewLines, type RolloutView } from "./view.ts";

const LINE_EVERY_MS = 2_000;

export class Screen {
  readonly #sink: ProgressSink;
  readonly #now: () => number;
  #drawn = 0;
  #linedAt = -Infinity;

  constructor(sink: ProgressSink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
  }

  show(view: RolloutView): void {
    if (this.#sink.isTTY === true) {
      const width = Math.max(20, (this.#sink.columns ?? 80) - 1);
      const lines = viewLines(view).map((line) => `\u001b[2K${line.slice(0, width)}`);
      const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r\u001b[J` : "";
      this.#sink.write(`${back}${lines.join("\n")}\n`);
      this.#drawn = lines.length;
    } else if (this.#now() - this.#linedAt >= LINE_EVERY_MS) {
      this.#linedAt = this.#now();
      this.#sink.write(`${viewLine(view)}\n`);
    }
  }

  /** The last view stays; what follows is written below it. */
  close(view: RolloutView): void {
    this.#linedAt = -Infinity;
    this.show(view);
    this.#drawn = 0;
  }
}
