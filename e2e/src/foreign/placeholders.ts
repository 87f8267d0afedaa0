// Names for what differs from run to run, so that a conversation is the same text each time. Pure.

const FIRST_TS = 1_790_000_000_000_000;
const TS_STEP = 1_000;

/** Keys of server frames whose text the server makes up, and what they are called. */
const KINDS: Readonly<Record<string, string>> = {
  session: "SESSION",
  secret: "SECRET",
  pod: "POD",
  ticket: "TICKET",
  e: "EPOCH",
  epoch: "EPOCH",
  id: "MOVE",
};

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export class Placeholders {
  readonly #nameOf = new Map<string, string>();
  readonly #valueOf = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  bind(name: string, value: string): void {
    this.#nameOf.set(value, name);
    this.#valueOf.set(name, value);
  }

  /** The value behind a name; a text that is no name stands for itself. */
  value(name: string): string {
    return this.#valueOf.get(name) ?? name;
  }

  /** A frame with values in place of names. */
  filled<T>(frame: T): T {
    return this.#fill(frame as Json) as T;
  }

  /** A frame with names in place of values; new values get the next name of their kind. Payloads are left alone. */
  named<T>(frame: T): T {
    return this.#name(frame as Json) as T;
  }

  #fill(value: Json): Json {
    if (typeof value === "string") return this.value(value);
    if (isList(value)) return value.map((item) => this.#fill(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, this.#fill(child)]));
  }

  #name(value: Json): Json {
    if (isList(value)) return value.map((item) => this.#name(item));
    if (typeof value !== "object" || value === null) return value;
    const named = Object.entries(value).map(([key, child]) => [key, this.#nameField(key, child)] as const);
    const { o, ts } = value;
    // By offset: two messages may come within one tick of the clock, or not.
    const stamp = typeof o === "number" && ts !== undefined ? { ts: FIRST_TS + o * TS_STEP } : {};
    return { ...Object.fromEntries(named), ...stamp };
  }

  #nameField(key: string, value: Json): Json {
    if (key === "d") return value;
    const kind = KINDS[key];
    return kind !== undefined && typeof value === "string" ? this.#nameFor(kind, value) : this.#name(value);
  }

  #nameFor(kind: string, value: string): string {
    const known = this.#nameOf.get(value);
    if (known !== undefined) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    this.bind(`${kind}-${count}`, value);
    return `${kind}-${count}`;
  }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
