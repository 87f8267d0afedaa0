// Parsing JSON, and what it may be. Pure. Not here: frames.

export type Json = Readonly<Record<string, unknown>>;

/** What a text says, or undefined when it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isName(value: unknown): value is string {
  return typeof value === "string";
}
