// What a command answers: lines for people, data for tools, an exit code. Not here: the commands.

/** Exit codes of `wsc`. */
export const EXIT = {
  done: 0,
  /** The API server or a pod did not do it, or a check failed. */
  failed: 1,
  /** Wrong words on the command line. */
  usage: 2,
  /** There is nothing to do, or the name is not the one that it would have to be. */
  refused: 3,
} as const;

export type Answer = {
  readonly lines: readonly string[];
  /** The same for `--json`. */
  readonly data: unknown;
  readonly code: number;
};

export function done(line: string, data: Readonly<Record<string, unknown>> = {}): Answer {
  return { lines: [line], data: { ok: true, ...data }, code: EXIT.done };
}

export function refused(why: string): Answer {
  return { lines: [why], data: { ok: false, why }, code: EXIT.refused };
}

/** Columns in line. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_title, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
