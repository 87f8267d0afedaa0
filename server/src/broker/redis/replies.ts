// What the store answers, read. Pure. Not here: asking.

import type { PodEntry, PodLease, SessionRow } from "../port.ts";

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString() : String(value);
}

export function texts(value: unknown): readonly string[] {
  return list(value).map(text);
}

/** A hash; the client makes an object of it. */
export function fieldsOf(value: unknown): ReadonlyMap<string, string> {
  if (typeof value !== "object" || value === null) return new Map();
  return new Map(Object.entries(value).map(([field, content]) => [field, text(content)] as const));
}

export function generationOf(reply: unknown): number | undefined {
  const generation = text(reply);
  return generation === "" ? undefined : Number(generation);
}

export function sessionRowOf(id: string, fields: ReadonlyMap<string, string>): SessionRow | undefined {
  const [tenant, user, g, owner, digest] = ["tenant", "user", "g", "owner", "digest"].map((name) => fields.get(name));
  if (tenant === undefined || user === undefined || g === undefined || owner === undefined || digest === undefined) {
    return undefined;
  }
  const channels = [...fields.keys()].filter((name) => name.startsWith("c:")).map((name) => name.slice(2));
  const notes = [...fields].flatMap(([name, value]) =>
    name.startsWith("n:") ? [[name.slice(2), value] as const] : [],
  );
  const instance = fields.get("instance");
  return {
    id,
    tenant,
    user,
    device: fields.get("device") ?? "",
    ...(instance === undefined ? {} : { instance }),
    g: Number(g),
    owner,
    digest,
    channels,
    ...(notes.length > 0 ? { notes: Object.fromEntries(notes) } : {}),
  };
}

export function podEntryOf(json: string, nowMs: number): PodEntry | undefined {
  const { v, at, ...lease } = JSON.parse(json) as PodLease & { readonly v: number; readonly at: number };
  return v === 1 ? { ...lease, silentMs: Math.max(0, nowMs - at) } : undefined;
}
