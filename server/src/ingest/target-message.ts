// A message that names its target itself: {"target_type", "target_id", "data"}, as back ends publish it to a Redis channel.
// Pure. Not here: where it comes from.

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import { streamOfTarget } from "../session/channel-names.ts";
import type { Target } from "../session/channel-names.ts";
import { isRecord, jsonOf } from "../session/json-shape.ts";
import type { IngestErrorCode } from "./errors.ts";

const TARGET_TYPES = ["user", "inbox", "session", "channel", "tenant", "all"] as const;
type TargetType = (typeof TARGET_TYPES)[number];

export type Delivery = {
  readonly target: Target;
  /** JSON text. */
  readonly text: string;
  /** Name that the sender gave to this message, the same whenever it sends it again. */
  readonly id?: string;
};

export type Parsed = { readonly delivery: Delivery } | { readonly error: IngestErrorCode };

const MAX_ID_BYTES = 128;

export function targetMessageOf(text: string): Parsed {
  const value = jsonOf(text);
  if (!isRecord(value) || !("data" in value)) return { error: "bad-json" };
  const { target_type: type, target_id: target, tenant_id: tenant, id, data } = value;
  if (!isTargetType(type)) return { error: "bad-target" };
  if (id !== undefined && (!isName(id) || Buffer.byteLength(id) > MAX_ID_BYTES)) return { error: "bad-target" };
  const parsed = deliveryOf({ type, id: target, tenant }, data);
  return "error" in parsed || id === undefined ? parsed : { delivery: { ...parsed.delivery, id } };
}

type NamedTarget = { readonly type: TargetType; readonly id: unknown; readonly tenant: unknown };

/** @param named as it came: what does not fit gives `bad-target`. */
function deliveryOf({ type, id, tenant }: NamedTarget, data: unknown): Parsed {
  const target = targetOf(type, id, tenant);
  if (target === undefined || streamOfTarget(target) === undefined) return { error: "bad-target" };
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) return { error: "bad-json" };
  return Buffer.byteLength(text) > WIRE_DEFAULTS.maxPayloadBytes
    ? { error: "bad-payload" }
    : { delivery: { target, text } };
}

function targetOf(type: TargetType, id: unknown, tenant: unknown): Target | undefined {
  if (type === "all") return { type };
  if (!isName(id) || (tenant !== undefined && tenant !== null && !isName(tenant))) return undefined;
  return type === "tenant" ? { type, id } : { type, id, ...(isName(tenant) ? { tenant } : {}) };
}

function isTargetType(value: unknown): value is TargetType {
  return TARGET_TYPES.some((type) => type === value);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
