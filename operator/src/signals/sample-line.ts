// One line of Prometheus text or OpenMetrics: name, labels, value, timestamp, exemplar. Pure; a bad line is an answer, not an
// error. Not here: lines, sizes and comments (exposition.ts).

export type ExpositionFormat = "prometheus" | "openmetrics";

export type Sample = {
  readonly name: string;
  /** A map: a label may be called `__proto__`. */
  readonly labels: ReadonlyMap<string, string>;
  /** May be NaN or infinite: what that means is the reader's business. */
  readonly value: number;
  readonly timestampMs?: number;
};

export type LineProblem = "bad-name" | "bad-labels" | "bad-value" | "bad-timestamp" | "bad-exemplar";
export type ParsedLine =
  | { readonly ok: true; readonly sample: Sample }
  | { readonly ok: false; readonly code: LineProblem };

const METRIC_NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NO_LABELS: ReadonlyMap<string, string> = new Map();
const SPACE = 32;
const TAB = 9;

/** @param line without its line feed; not a comment, not empty. */
export function parseSampleLine(line: string, format: ExpositionFormat): ParsedLine {
  let at = skipBlanks(line, 0);
  let name = match(METRIC_NAME, line, at);
  at = skipBlanks(line, at + (name?.length ?? 0));
  let labels = NO_LABELS;
  if (line[at] === "{") {
    const list = readLabels(line, at, name === undefined);
    if (list === undefined) return { ok: false, code: "bad-labels" };
    labels = list.labels;
    name ??= list.name;
    at = skipBlanks(line, list.end);
  } else if (name !== undefined && at === line.indexOf(name) + name.length) {
    // A name that runs into something else than a blank or a brace.
    return { ok: false, code: at >= line.length ? "bad-value" : "bad-name" };
  }
  if (name === undefined) return { ok: false, code: "bad-name" };
  let rest = line.slice(at);
  if (format === "openmetrics") {
    const mark = rest.indexOf("#");
    if (mark >= 0) {
      if (!isExemplar(rest, mark)) return { ok: false, code: "bad-exemplar" };
      rest = rest.slice(0, mark);
    }
  }
  const words = rest.trim().split(/[ \t]+/);
  const value = parseValue(words[0] ?? "");
  if (value === undefined) return { ok: false, code: "bad-value" };
  if (words.length > 2) return { ok: false, code: "bad-timestamp" };
  const [, stamp] = words;
  if (stamp === undefined) return { ok: true, sample: { name, labels, value } };
  const timestampMs = parseTimestamp(stamp, format);
  if (timestampMs === undefined) return { ok: false, code: "bad-timestamp" };
  return { ok: true, sample: { name, labels, value, timestampMs } };
}

/** The metric's name without reading the rest; undefined where it stands inside the braces or is none. */
export function nameOfLine(line: string): string | undefined {
  return match(METRIC_NAME, line, skipBlanks(line, 0));
}

/** `Nan` is what prom-client writes; the formats ask readers to take any case. */
export function parseValue(word: string): number | undefined {
  if (NUMBER.test(word)) return Number(word);
  switch (word.toLowerCase()) {
    case "nan":
      return Number.NaN;
    case "+inf":
    case "inf":
    case "+infinity":
    case "infinity":
      return Number.POSITIVE_INFINITY;
    case "-inf":
    case "-infinity":
      return Number.NEGATIVE_INFINITY;
    default:
      return undefined;
  }
}

/** Milliseconds in Prometheus text, seconds with a fraction in OpenMetrics. */
function parseTimestamp(word: string, format: ExpositionFormat): number | undefined {
  const number = format === "prometheus" ? (/^-?\d+$/.test(word) ? Number(word) : undefined) : parseValue(word);
  if (number === undefined || !Number.isFinite(number)) return undefined;
  return format === "prometheus" ? number : number * 1_000;
}

/** ` # {labels} value [timestamp]` behind the sample. */
function isExemplar(rest: string, mark: number): boolean {
  const open = skipBlanks(rest, mark + 1);
  if (rest[open] !== "{") return false;
  const list = readLabels(rest, open, false);
  if (list === undefined) return false;
  const words = rest
    .slice(list.end)
    .trim()
    .split(/[ \t]+/);
  return words.length <= 2 && words.every((word) => parseValue(word) !== undefined);
}

type LabelList = {
  readonly labels: ReadonlyMap<string, string>;
  /** Prometheus 3 writes names with other characters as the first, quoted, entry. */
  readonly name: string | undefined;
  /** Behind the closing brace. */
  readonly end: number;
};

function readLabels(line: string, open: number, mayName: boolean): LabelList | undefined {
  const labels = new Map<string, string>();
  let name: string | undefined;
  let at = skipBlanks(line, open + 1);
  while (line[at] !== "}") {
    let label: string | undefined;
    if (line[at] === '"') {
      const quoted = readQuoted(line, at);
      if (quoted === undefined) return undefined;
      label = quoted.text;
      at = skipBlanks(line, quoted.end);
    } else {
      label = match(LABEL_NAME, line, at);
      if (label === undefined) return undefined;
      at = skipBlanks(line, at + label.length);
    }
    if (line[at] === "=") {
      const value = readQuoted(line, skipBlanks(line, at + 1));
      // The same label twice has no meaning that two readers would share.
      if (value === undefined || labels.has(label)) return undefined;
      labels.set(label, value.text);
      at = skipBlanks(line, value.end);
    } else if (mayName && name === undefined && labels.size === 0 && label !== "") name = label;
    else return undefined;
    if (line[at] === ",") at = skipBlanks(line, at + 1);
    else if (line[at] !== "}") return undefined;
  }
  return { labels, name, end: at + 1 };
}

function readQuoted(line: string, open: number): { readonly text: string; readonly end: number } | undefined {
  if (line[open] !== '"') return undefined;
  let close = open + 1;
  let hasEscape = false;
  for (; close < line.length && line[close] !== '"'; close++) {
    if (line[close] !== "\\") continue;
    hasEscape = true;
    close++;
  }
  if (close >= line.length) return undefined;
  const raw = line.slice(open + 1, close);
  const text = hasEscape ? raw.replace(/\\([\\"n])/g, (_, char: string) => (char === "n" ? "\n" : char)) : raw;
  return { text, end: close + 1 };
}

function match(pattern: RegExp, line: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(line)?.[0];
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  for (let code = line.charCodeAt(at); code === SPACE || code === TAB; code = line.charCodeAt(at)) at++;
  return at;
}
