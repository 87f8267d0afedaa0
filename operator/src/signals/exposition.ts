// Reads a scrape as it comes in, chunk by chunk, and never throws: what cannot be read is told as a problem. Limits bound
// what a lying target can cost. Not here: one line (sample-line.ts), what the numbers mean (reading.ts).
import { nameOfLine, parseSampleLine, type ExpositionFormat, type LineProblem, type Sample } from "./sample-line.ts";

export type ExpositionProblem = {
  /** From 1. */
  readonly line: number;
  readonly code:
    | LineProblem
    | "line-too-long"
    | "too-large"
    | "too-many-samples"
    | "unterminated"
    | "after-eof"
    | "no-eof"
    | "duplicate";
  /** The line's beginning. */
  readonly text: string;
};

export type Exposition = {
  readonly samples: readonly Sample[];
  /** The first few. */
  readonly problems: readonly ExpositionProblem[];
  readonly problemCount: number;
  /** Metrics of which at least one line could not be read: a sum over them would be too low. */
  readonly broken: ReadonlySet<string>;
  /** Metrics whose type was told, as they are called there: one without a sample had no event yet. */
  readonly declared: ReadonlySet<string>;
  /** False when the text stopped early or passed a limit: then nothing of it may be relied on. */
  readonly isComplete: boolean;
};

export type ExpositionOptions = {
  readonly format?: ExpositionFormat;
  /** Only these metrics are read; of others not even the labels. Default: all. */
  readonly wanted?: ReadonlySet<string>;
  /** Characters of the whole text. Default 4 Mi. */
  readonly maxChars?: number;
  /** Default 64 Ki. */
  readonly maxLineChars?: number;
  /** Default 50,000. */
  readonly maxSamples?: number;
};

const KEPT_PROBLEMS = 20;
const KEPT_TEXT = 80;

export class ExpositionParser {
  readonly #format: ExpositionFormat;
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #limits: { readonly chars: number; readonly lineChars: number; readonly samples: number };
  readonly #samples: Sample[] = [];
  readonly #seen = new Set<string>();
  readonly #problems: ExpositionProblem[] = [];
  readonly #broken = new Set<string>();
  readonly #declared = new Set<string>();
  #problemCount = 0;
  #chars = 0;
  #line = 0;
  #carry = "";
  /** The line that is coming in is over its limit: the rest of it is thrown away. */
  #isSkipping = false;
  #isEnded = false;
  #isStopped = false;

  constructor(options: ExpositionOptions = {}) {
    this.#format = options.format ?? "prometheus";
    this.#wanted = options.wanted;
    this.#limits = {
      chars: options.maxChars ?? 4 * 1024 * 1024,
      lineChars: options.maxLineChars ?? 64 * 1024,
      samples: options.maxSamples ?? 50_000,
    };
  }

  /** False once a limit was passed: the rest need not be fetched. */
  push(chunk: string): boolean {
    if (this.#isStopped) return false;
    this.#chars += chunk.length;
    if (this.#chars > this.#limits.chars) return this.#stop("too-large", "");
    let from = 0;
    for (let end = chunk.indexOf("\n"); end >= 0 && !this.#isStopped; end = chunk.indexOf("\n", from)) {
      this.#takeLine(this.#carry === "" ? chunk.slice(from, end) : this.#carry + chunk.slice(from, end));
      this.#carry = "";
      from = end + 1;
    }
    if (this.#isStopped) return false;
    // Kept only up to the limit: an endless line must not fill the memory.
    if (this.#isSkipping) return true;
    this.#carry += chunk.slice(from);
    if (this.#carry.length > this.#limits.lineChars) {
      this.#tell("line-too-long", this.#carry, this.#line + 1);
      this.#isSkipping = true;
      this.#carry = "";
    }
    return true;
  }

  end(): Exposition {
    const last = this.#carry.trimEnd();
    this.#carry = "";
    if (!this.#isStopped) {
      if (this.#format === "openmetrics" && last === "# EOF") this.#isEnded = true;
      // `... 123` may be the beginning of `... 1234`.
      else if (last !== "" || this.#isSkipping) this.#stop("unterminated", last);
      if (!this.#isStopped && this.#format === "openmetrics" && !this.#isEnded) this.#stop("no-eof", "");
    }
    return {
      samples: this.#samples,
      problems: this.#problems,
      problemCount: this.#problemCount,
      broken: this.#broken,
      declared: this.#declared,
      isComplete: !this.#isStopped,
    };
  }

  #takeLine(raw: string): void {
    this.#line++;
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return;
    }
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line.length > this.#limits.lineChars) return this.#tell("line-too-long", line);
    if (line.trim() === "") return;
    if (this.#isEnded) return this.#tell("after-eof", line);
    if (line.startsWith("#")) {
      if (this.#format === "openmetrics" && line.trimEnd() === "# EOF") this.#isEnded = true;
      this.#takeType(line);
      return;
    }
    const name = nameOfLine(line);
    if (this.#wanted !== undefined && name !== undefined && !this.#wanted.has(name)) return;
    const parsed = parseSampleLine(line, this.#format);
    if (!parsed.ok) {
      this.#tell(parsed.code, line);
      if (name !== undefined) this.#broken.add(name);
      return;
    }
    if (this.#wanted !== undefined && !this.#wanted.has(parsed.sample.name)) return;
    const series = seriesKey(parsed.sample);
    if (this.#seen.has(series)) {
      // Which of the two is true cannot be known.
      this.#tell("duplicate", line);
      this.#broken.add(parsed.sample.name);
      return;
    }
    if (this.#samples.length >= this.#limits.samples) {
      this.#stop("too-many-samples", line);
      return;
    }
    this.#seen.add(series);
    this.#samples.push(parsed.sample);
  }

  #takeType(line: string): void {
    const name = /^#\s+TYPE\s+([a-zA-Z_:][a-zA-Z0-9_:]*)\s/.exec(line)?.[1];
    if (name === undefined) return;
    // OpenMetrics declares a counter without its suffix.
    for (const told of [name, `${name}_total`]) {
      if (this.#wanted === undefined || this.#wanted.has(told)) this.#declared.add(told);
    }
  }

  #stop(code: ExpositionProblem["code"], text: string): false {
    this.#tell(code, text);
    this.#isStopped = true;
    return false;
  }

  #tell(code: ExpositionProblem["code"], text: string, line = this.#line): void {
    this.#problemCount++;
    if (code === "line-too-long") this.#broken.add(nameOfLine(text.slice(0, 1_024)) ?? "");
    if (this.#problems.length < KEPT_PROBLEMS) this.#problems.push({ line, code, text: text.slice(0, KEPT_TEXT) });
  }
}

/** Whole text at once. */
export function parseExposition(text: string, options: ExpositionOptions = {}): Exposition {
  const parser = new ExpositionParser(options);
  parser.push(text);
  return parser.end();
}

/** By content type; unknown ones are read as Prometheus text, as Prometheus itself does. */
export function formatOf(contentType: string | undefined): ExpositionFormat {
  return contentType?.includes("application/openmetrics-text") === true ? "openmetrics" : "prometheus";
}

function seriesKey({ name, labels }: Sample): string {
  if (labels.size === 0) return name;
  if (labels.size === 1) for (const [label, value] of labels) return `${name}\0${label}\0${value}`;
  const pairs = [...labels].map(([label, value]) => `${label}\0${value}`);
  return `${name}\0${pairs.toSorted().join("\0")}`;
}
