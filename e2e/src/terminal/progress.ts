// Progress of long work for people: `[3/9] kube-scheduler 1.37.2: building (12 s)`. In place on a terminal, else one line when a
// step has lasted a second, one every 15 s and one at its end. Knows nothing of what the steps do.
import { formatDuration } from "./duration.ts";

const REDRAW_MS = 1_000;
const FIRST_LINE_MS = 1_000;
const HEARTBEAT_MS = 15_000;

/** What a running step can say about itself. */
export interface StepReport {
  /** Replaces the verb behind the title, for example `building` by `linking`. */
  doing(text: string): void;
  /** The verb of the closing line, for example `built` or `reused`; without it the line says `done`. */
  done(text: string): void;
}

/** A counted series of steps that is shown while it runs. */
export interface Progress {
  /** Starts a new series of `total` steps, counted from 1. */
  begin(total: number): void;
  /** Runs `work` as the next step. A failure is shown and passed on. */
  step<T>(title: string, verb: string, work: (report: StepReport) => Promise<T>): Promise<T>;
  /** A line between steps. */
  note(text: string): void;
}

export type ProgressSink = {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
};

/** One step's line; pure, so that its form is tested once for both kinds of output. */
export function progressLine(index: number, total: number, title: string, verb: string, elapsedMs: number): string {
  const elapsed = elapsedMs < 500 ? "" : ` (${formatDuration(elapsedMs)})`;
  return `[${index}/${Math.max(index, total)}] ${title}: ${verb}${elapsed}`;
}

/** Shows progress on `sink` (default: standard error, so that standard output stays parseable). */
export function createProgress(
  sink: ProgressSink = process.stderr,
  now: () => number = () => performance.now(),
): Progress {
  let total = 0;
  let index = 0;
  const inPlace = sink.isTTY === true;

  function show(line: string, isFinal: boolean): void {
    if (!inPlace) {
      sink.write(`${line}\n`);
      return;
    }
    // A line that wraps cannot be redrawn in place, so cut it to the terminal's width.
    const width = Math.max(20, (sink.columns ?? 80) - 1);
    sink.write(`\r\u001b[2K${line.slice(0, width)}${isFinal ? "\n" : ""}`);
  }

  return {
    begin(count) {
      total = count;
      index = 0;
    },
    note(text) {
      sink.write(inPlace ? `\r\u001b[2K${text}\n` : `${text}\n`);
    },
    async step(title, verb, work) {
      index += 1;
      const own = index;
      const startedAt = now();
      let current = verb;
      let closing = "done";
      const draw = () => show(progressLine(own, total, title, current, now() - startedAt), false);
      if (inPlace) draw();
      const first = inPlace ? undefined : setTimeout(draw, FIRST_LINE_MS);
      const repeat = setInterval(draw, inPlace ? REDRAW_MS : HEARTBEAT_MS);
      const finish = (text: string) => {
        clearTimeout(first);
        clearInterval(repeat);
        show(progressLine(own, total, title, text, now() - startedAt), true);
      };
      try {
        const result = await work({
          doing(text) {
            current = text;
            if (inPlace) draw();
          },
          done(text) {
            closing = text;
          },
        });
        finish(closing);
        return result;
      } catch (error) {
        finish("failed");
        throw error;
      }
    },
  };
}
