// Who may connect, and what clients may do. Not here: the rest of the resource (spec.ts).

import { z } from "zod";

const text = (max: number) => z.string().min(1).max(max);

export const auth = z
  .strictObject({
    anonymous: z.boolean().optional().describe("Accept clients without a token. Defaults to false."),
    jwtSecretRef: z
      .strictObject({
        name: text(253).describe("Name of the Secret."),
        key: text(253).describe("Key whose value is the HS256 secret."),
      })
      .optional()
      .describe("Secret that signs client tokens."),
    jwt: z
      .strictObject({
        jwksUrl: text(2_048)
          .regex(/^https?:\/\//)
          .optional()
          .describe("Where the identity provider publishes the keys of its tokens (RS, PS, ES, EdDSA)."),
        issuer: text(2_048).optional().describe("Claim `iss` that tokens must have; absent = any."),
        audience: text(2_048).optional().describe("Claim `aud` that tokens must have; absent = any."),
      })
      .optional()
      .describe("Tokens of an identity provider."),
    tokenCookie: text(128)
      .optional()
      .describe("Cookie that carries a browser's token; heeded from `allowedOrigins` only, which must not be empty."),
    allowedOrigins: z
      .array(text(253))
      .max(64)
      .optional()
      .describe("Origins that browsers may connect from; absent = any.")
      .meta({ "x-kubernetes-list-type": "set" }),
  })
  .optional()
  .describe("Who may connect.");

export const permissions = z
  .array(
    z.strictObject({
      names: z
        .array(text(300))
        .min(1)
        .max(64)
        .describe(
          "Channels (for `direct` users, for `rpc` routes): `*` is any text, `{user}` and `{tenant}` those of the client.",
        )
        .meta({ "x-kubernetes-list-type": "set" }),
      actions: z
        .array(z.enum(["subscribe", "publish", "history", "presence", "direct", "rpc"]))
        .min(1)
        .max(6)
        .describe("What is allowed; `direct` is writing to a user's inbox.")
        .meta({ "x-kubernetes-list-type": "set" }),
      tenants: z
        .array(text(128))
        .max(256)
        .optional()
        .describe("Tenants that the rule is for; absent = all.")
        .meta({ "x-kubernetes-list-type": "set" }),
      startsAt: text(40).optional().describe("Not before this time (RFC 3339)."),
      endsAt: text(40).optional().describe("Not from this time on (RFC 3339)."),
    }),
  )
  .max(256)
  .optional()
  .describe(
    "What clients may do. Absent = everything; else what a rule, or the `grants` of the client's token, allows.",
  )
  .meta({ "x-kubernetes-list-type": "atomic" });
