// Signed tokens: HS256 with our key, or RS, ES, PS and EdDSA with the keys that an identity provider publishes (JWKS). Not here: what
// an identity may do.

import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";
import type { JWTPayload, JWTVerifyOptions } from "jose";
import { z } from "zod";
import { ACTIONS } from "./permissions.ts";
import type { Permission } from "./permissions.ts";
import type { IdentityResult } from "./identity.ts";
import { DEFAULT_TENANT, isIdentifier } from "./names.ts";
import { placementOf } from "./placement.ts";

export type TokenOptions = {
  /** Key of HS256 tokens. */
  readonly jwtSecret?: string;
  /** Where the provider publishes its keys. */
  readonly jwksUrl?: string;
  /** Claims `iss` and `aud` must have these values. */
  readonly issuer?: string;
  readonly audience?: string;
};

/** Keys are read anew this often, and at once when a token names one that is not known. Until then, and while that fails, the old ones count. */
const KEYS_FRESH_MS = 300_000;
/** A token with a made-up key makes us ask the provider no more often than this. */
const UNKNOWN_KEY_MS = 30_000;
const KEYS_TIMEOUT_MS = 5_000;
const TOLERANCE_S = 5;
const ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

const GRANTS = z
  .array(
    z.object({
      names: z.array(z.string().min(1).max(300)).max(32),
      actions: z.array(z.enum(ACTIONS)),
      /** Seconds since 1970, as in all claims. */
      nbf: z.number().optional(),
      exp: z.number().optional(),
    }),
  )
  .max(32);

export type CheckToken = (token: string) => Promise<IdentityResult>;

/** `undefined` when no key is configured: then no token can be checked. */
export function createTokenCheck(options: TokenOptions, now: () => number = Date.now): CheckToken | undefined {
  const { jwtSecret, jwksUrl, issuer, audience } = options;
  if (jwtSecret === undefined && jwksUrl === undefined) return undefined;
  const secret = jwtSecret === undefined ? undefined : new TextEncoder().encode(jwtSecret);
  const keys = jwksUrl === undefined ? undefined : publishedKeys(new URL(jwksUrl), now);
  const wanted: JWTVerifyOptions = {
    clockTolerance: TOLERANCE_S,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  return async (token) => {
    const algorithm = algorithmOf(token);
    // By the kind of algorithm, never both: a public key must not be taken for an HMAC secret.
    const verify =
      secret && algorithm === "HS256"
        ? () => jwtVerify(token, secret, { ...wanted, algorithms: ["HS256"] })
        : keys && ASYMMETRIC.includes(algorithm)
          ? () => jwtVerify(token, keys, { ...wanted, algorithms: ASYMMETRIC })
          : undefined;
    if (!verify) return refusal("the token is not valid");
    try {
      return identityOf((await verify()).payload, now());
    } catch (error) {
      if (error instanceof errors.JWTExpired) return refusal("the token has expired");
      const isToken =
        error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC" && error.code !== "ERR_JWKS_TIMEOUT";
      if (isToken || !keys || algorithm === "HS256") return refusal("the token is not valid");
      return { ...refusal("the keys of the identity provider cannot be read"), isTransient: true };
    }
  };
}

function algorithmOf(token: string): string {
  try {
    return decodeProtectedHeader(token).alg ?? "";
  } catch {
    return "";
  }
}

function refusal(message: string) {
  return { ok: false as const, message };
}

function publishedKeys(url: URL, now: () => number) {
  const keys = createRemoteJWKSet(url, {
    cacheMaxAge: Infinity,
    cooldownDuration: UNKNOWN_KEY_MS,
    timeoutDuration: KEYS_TIMEOUT_MS,
  });
  let readAtMs = now();
  return (...args: Parameters<typeof keys>) => {
    // In the background, so that a provider that is away costs nobody a login while the known keys fit.
    if (keys.fresh && now() - readAtMs > KEYS_FRESH_MS) {
      readAtMs = now();
      keys.reload().catch(() => {});
    }
    return keys(...args);
  };
}

function identityOf(payload: JWTPayload, nowMs: number): IdentityResult {
  const tenant = payload["tenant"] ?? DEFAULT_TENANT;
  if (!isIdentifier(payload.sub)) return refusal("the token's sub is no user name");
  // Tenants of our own (the operator's probe) are not for anybody's token.
  if (!isIdentifier(tenant) || tenant.startsWith("wscluster.")) return refusal("the token's tenant is no name");
  const claimed = payload["grants"];
  const grants = claimed === undefined ? undefined : GRANTS.safeParse(claimed);
  if (grants?.success === false) return refusal("the token's grants are no list of {names, actions, nbf?, exp?}");
  return {
    ok: true,
    identity: {
      user: payload.sub,
      tenant,
      ...placementOf(payload),
      auth: {
        atMs: payload.iat === undefined ? nowMs : payload.iat * 1_000,
        ...(payload.exp === undefined ? {} : { expiresAtMs: payload.exp * 1_000 }),
        ...(grants === undefined ? {} : { grants: grants.data.map(permissionOf) }),
      },
    },
  };
}

function permissionOf({ names, actions, nbf, exp }: z.output<typeof GRANTS>[number]): Permission {
  return {
    names,
    actions,
    ...(nbf === undefined ? {} : { startsAtMs: nbf * 1_000 }),
    ...(exp === undefined ? {} : { endsAtMs: exp * 1_000 }),
  };
}
