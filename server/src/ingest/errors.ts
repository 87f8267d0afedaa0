// What can be wrong with a message that comes in from Redis or Kafka, or goes out to Kafka. Such a message is counted under its code,
// logged at most once a minute, and left out.

export const INGEST_ERRORS = {
  "bad-json": "The message is no JSON text in UTF-8, or lacks the field that its data is taken from.",
  "bad-target":
    "The message names no target that could exist: an unknown `target_type`, or no (or an impossible) `target_id`, key, header or field.",
  "bad-payload": "The data is larger than a message may be.",
  overflow: "Too many messages wait for the store; only from a Redis channel, which cannot be made to wait.",
} as const;

export type IngestErrorCode = keyof typeof INGEST_ERRORS;
