// How much clients may send, how channels are delivered, and what clients may call. Not here: the rest of the resource (spec.ts).

import { z } from "zod";

const text = (max: number) => z.string().min(1).max(max);
const whole = (min: number, max: number) => z.int().min(min).max(max);
const limit = (what: string) => whole(0, 1_000_000_000).optional().describe(`${what} Defaults to 0, no limit.`);

export const limits = z
  .strictObject({
    sessionsPerUser: limit("Most sessions of one user on one pod."),
    sessionsPerTenant: limit("Most sessions of one tenant on one pod."),
    sessionsPerAddress: limit("Most sessions of one client address on one pod; sockets may be twice as many."),
    subscriptionsPerSession: whole(1, 256).optional().describe("Most channels of one session. Defaults to 256."),
    messagesPerSecond: limit("Messages of one connection, in bursts of two seconds."),
    bytesPerSecond: limit("Payload bytes of one connection, in bursts of two seconds."),
    tenantMessagesPerSecond: limit("Messages of one tenant on one pod."),
    tenantBytesPerSecond: limit("Payload bytes of one tenant on one pod."),
  })
  .optional()
  .describe("How much clients may send and hold. Clients that move or resume were let in before.");

export const namespaces = z
  .array(
    z
      .strictObject({
        names: z
          .array(text(300))
          .min(1)
          .max(64)
          .describe("Channels; `*` is any text. The first namespace that fits a channel counts.")
          .meta({ "x-kubernetes-list-type": "set" }),
        conflateMs: whole(0, 60_000)
          .optional()
          .describe(
            "Subscribers get the newest message this often and no message between; what was left out is told by a `gap` with reason `conflated`. Defaults to 0, every message.",
          ),
        batchMs: whole(0, 1_000)
          .optional()
          .describe(
            "Messages gather this long and leave together, as one compressed block where that is a fifth smaller and the client reads blocks. Not together with conflateMs. Defaults to 0, at once.",
          ),
        batchSize: whole(1, 1_000)
          .optional()
          .describe("So many messages leave without waiting for more. Defaults to 100."),
        priority: z
          .enum(["low", "normal", "critical"])
          .optional()
          .describe(
            "What slow clients are spared first: `low` drops unnumbered messages early, `critical` queues numbered ones for longer. Defaults to normal.",
          ),
        historyLength: whole(10, 1_000_000)
          .optional()
          .describe("Messages kept per channel. Defaults to `config.history.maxLength`."),
        historySeconds: whole(150, 604_800)
          .optional()
          .describe(
            "Seconds that a channel's messages are kept after the last one; at least `config.connections.sessionTtlSeconds`, else the pods keep the configuration before and say so. Defaults to `config.history.ttlSeconds`.",
          ),
      })
      .meta({
        "x-kubernetes-validations": [
          {
            rule: "!(has(self.conflateMs) && self.conflateMs > 0 && has(self.batchMs) && self.batchMs > 0)",
            message:
              "only one of `conflateMs` and `batchMs` may be above 0: of a conflated channel there is nothing to gather",
          },
        ],
      }),
  )
  .max(64)
  .optional()
  .describe("How channels are delivered, by name.")
  .meta({ "x-kubernetes-list-type": "atomic" });

/** By name. The names' length is not in the schema, which has no place for it: the pods check it. */
export const routes = z
  .record(
    text(200),
    z.strictObject({
      url: text(2_048)
        .regex(/^https?:\/\/[^\s@]+$/)
        .describe("Service that is asked with POST; without user and password."),
      timeoutMs: whole(1, 60_000).optional().describe("Longest time for an answer. Defaults to 5000."),
      idempotent: z
        .boolean()
        .optional()
        .describe(
          "Calling it twice with one `Idempotency-Key` is as good as once, so that it is called again where the outcome is not known. Defaults to false.",
        ),
    }),
  )
  .meta({ maxProperties: 64 })
  .optional()
  .describe(
    "HTTP services that clients call, by name: each with its `url`, and perhaps `timeoutMs` (1 to 60000, defaults to 5000) and `idempotent` (defaults to false).",
  );
