// Bodies of contract writes. Pure. Not here: what they do.

import { z } from "zod";
import { INTENT_KINDS, PARTITIONS } from "@wscluster/protocol";
import type { Grant, IntentId, ModeRequest, MovePlanRequest } from "@wscluster/protocol";
import { jsonOf } from "../session/json-shape.ts";

const count = z.int().min(0).max(10_000_000);

function isIntent(text: string): text is IntentId {
  const [kind, name] = text.split("/", 2);
  return kind !== undefined && kind in INTENT_KINDS && name !== undefined && name !== "" && !/[|\n]/.test(text);
}

const modeRequest: z.ZodType<ModeRequest> = z.object({
  mode: z.enum(["active", "preview", "none"]),
  sealed: z.boolean(),
  deadlineMs: z
    .int()
    .min(1)
    .max(7 * 86_400_000)
    .exactOptional(),
});

const targets = z.array(z.object({ pod: z.string().min(1).max(64), count })).max(10_000);

const selection = {
  partition: z
    .int()
    .min(0)
    .max(PARTITIONS - 1)
    .exactOptional(),
  key: z.string().min(1).max(256).exactOptional(),
  edge: z.string().max(64).exactOptional(),
  order: z.enum(["idle", "sample"]).exactOptional(),
};

const grant = z.object({
  epoch: count,
  seq: count,
  intent: z.string().max(256).refine(isIntent, "must be KIND/NAME"),
  count,
  windowMs: z.int().min(1).max(86_400_000),
  targets,
  deadlineMs: z.int().min(1).max(86_400_000),
  select: z.object(selection).exactOptional(),
});

export type ParsedGrant = Omit<Grant, "intent"> & { readonly intent: IntentId };

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

function messageOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
}

export function parseModeRequest(body: Buffer): Parsed<ModeRequest> {
  const parsed = modeRequest.safeParse(jsonOf(body.toString("utf8")));
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, message: messageOf(parsed.error) };
}

export function parseGrant(body: Buffer): Parsed<ParsedGrant> {
  const parsed = grant.safeParse(jsonOf(body.toString("utf8")));
  if (!parsed.success) return { ok: false, message: messageOf(parsed.error) };
  const { intent, ...rest } = parsed.data;
  return isIntent(intent)
    ? { ok: true, value: { ...rest, intent } }
    : { ok: false, message: "intent: must be KIND/NAME" };
}

const planRequest = z.strictObject({ targets, select: z.strictObject(selection).exactOptional() });

export function parsePlanRequest(body: Buffer): Parsed<MovePlanRequest> {
  const parsed = planRequest.safeParse(jsonOf(body.toString("utf8")));
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, message: messageOf(parsed.error) };
}
