// Whether a frame is what the reference says. Pure.

import type { FrameRow } from "@wscluster/protocol/gen";

/** What is wrong with a frame of that name by the tables of the reference. */
export function faultsOf(name: string, frame: object, rows: Readonly<Record<string, FrameRow>>): readonly string[] {
  const row = rows[name];
  if (!row) return [`${name} is not in the tables`];
  const unknown = Object.keys(frame).filter((key) => key !== "t" && key !== "type" && !(key in row.fields));
  const missing = Object.entries(row.fields).filter(([key, field]) => field.length === 2 && !(key in frame));
  return [
    ...unknown.map((key) => `${name}.${key} is not in the tables`),
    ...missing.map(([key]) => `${name}.${key} is missing`),
  ];
}
