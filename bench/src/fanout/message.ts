// A message with the planned time of its sending. Pure.

const STAMP = '"at":';

/** JSON of the given length that begins with the stamp. */
export function messageOf(plannedMs: number, bytes: number): string {
  const head = `{${STAMP}${plannedMs.toFixed(3)},"fill":"`;
  return `${head}${"x".repeat(Math.max(0, bytes - head.length - 2))}"}`;
}

/** The stamps of all messages that a frame holds. */
export function stampsIn(payload: Buffer): number[] {
  const stamps: number[] = [];
  for (let at = payload.indexOf(STAMP); at >= 0; at = payload.indexOf(STAMP, at + STAMP.length)) {
    const from = at + STAMP.length;
    stamps.push(Number(payload.toString("latin1", from, payload.indexOf(",", from))));
  }
  return stamps;
}
