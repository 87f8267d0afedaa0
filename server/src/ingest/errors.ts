// What can be wrong with a message that comes in from a Redis channel. Such a message is counted under its code,
// logged at most once a minute, and left out.

export const INGEST_ERRORS = {
  "bad-json": "The message is no JSON object, or has no `data`.",
  "bad-target":
    "The message names no target that could exist: an unknown `target_type`, or no (or an impossible) `target_id`, `tenant_id` or `id`.",
  "bad-payload": "The data is larger than a message may be.",
  overflow: "Too many messages wait for the store; a Redis channel cannot be made to wait.",
} as const;

export type IngestErrorCode = keyof typeof INGEST_ERRORS;
