// Bodies of contract writes. Pure. Not here: what they do.

import { z } from "zod";
import { INTENT_KINDS } from "@wscluster/protocol";
import type { Grant, IntentId, ModeRequest, MovePlanRequest } from "@wscluster/protocol";

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

const grant = z.object({
  epoch: count,
  seq: count,
  intent: z.string().max(256).refine(isIntent, "must be KIND/NAME"),
  count,
  windowMs: z.int().min(1).max(86_400_000),
  targets,
  deadlineMs: z.int().min(1).max(86_400_000),
  select: z
    .object({
      partition: z.int().min(0).optional(),
      key: z.string().optional(),
      edge: z.string().optional(),
      order: z.enum(["idle", "sample"]).optional(),
    })
    .optional(),
});

export type ParsedGrant = Omit<Grant, "select" | "intent"> & {
  readonly intent: IntentId;
  readonly select?: { readonly edge?: string; readonly order?: "idle" | "sample" };
};

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function messageOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
}

export function parseModeRequest(body: Buffer): Parsed<ModeRequest> {
  const parsed = modeRequest.safeParse(parseJson(body));
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, message: messageOf(parsed.error) };
}

export function parseGrant(body: Buffer): Parsed<ParsedGrant> {
  const parsed = grant.safeParse(parseJson(body));
  if (!parsed.success) return { ok: false, message: messageOf(parsed.error) };
  const { select, intent, ...rest } = parsed.data;
  if (select?.partition !== undefined || select?.key !== undefined) {
    // Moving somebody else instead would be worse than moving nobody.
    return { ok: false, message: "select.partition and select.key are not supported by this server" };
  }
  if (!isIntent(intent)) return { ok: false, message: "intent: must be KIND/NAME" };
  return {
    ok: true,
    value: {
      ...rest,
      intent,
      ...(select
        ? {
            select: {
              ...(select.edge === undefined ? {} : { edge: select.edge }),
              ...(select.order === undefined ? {} : { order: select.order }),
            },
          }
        : {}),
    },
  };
}

const planRequest = z.strictObject({
  targets,
  select: z
    .strictObject({ edge: z.string().max(64).optional(), order: z.enum(["idle", "sample"]).optional() })
    .optional(),
});

export function parsePlanRequest(body: Buffer): Parsed<MovePlanRequest> {
  const parsed = planRequest.safeParse(parseJson(body));
  if (!parsed.success) return { ok: false, message: messageOf(parsed.error) };
  const { edge, order } = parsed.data.select ?? {};
  const select = { ...(edge === undefined ? {} : { edge }), ...(order === undefined ? {} : { order }) };
  return { ok: true, value: { targets: parsed.data.targets, select } };
}
