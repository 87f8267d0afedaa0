// Who a client is: from a signed token (HS256), or anonymous. Not here: what it may do.

import { randomBytes } from "node:crypto";
import { jwtVerify } from "jose";
import { DEFAULT_TENANT, isIdentifier } from "./names.ts";
import { placementOf } from "./placement.ts";
import type { Placement } from "./placement.ts";

export type Identity = { readonly user: string; readonly tenant: string } & Placement;

export type IdentityResult =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly message: string };

export type IdentityOptions = {
  readonly anonymous: boolean;
  /** Key of HS256 tokens; without it tokens are refused. */
  readonly jwtSecret?: string;
};

export type Identify = (claim: { readonly token?: string; readonly user?: string }) => Promise<IdentityResult>;

export function createIdentify(options: IdentityOptions): Identify {
  const key = options.jwtSecret === undefined ? undefined : new TextEncoder().encode(options.jwtSecret);
  return async ({ token, user }) => {
    if (token !== undefined) {
      if (!key) return { ok: false, message: "cannot check the token: this server has no key for tokens" };
      return identityOfToken(token, key);
    }
    if (!options.anonymous) return { ok: false, message: "a token is needed" };
    // Beside signed users nobody may take a name for the asking.
    const name = key || user === undefined ? `anon-${randomBytes(6).toString("hex")}` : user;
    if (!isIdentifier(name))
      return { ok: false, message: "user must have 1 to 128 characters, without / and control characters" };
    return { ok: true, identity: { user: name, tenant: DEFAULT_TENANT } };
  };
}

async function identityOfToken(token: string, key: Uint8Array): Promise<IdentityResult> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"], clockTolerance: 5 });
    const tenant = payload["tenant"] ?? DEFAULT_TENANT;
    if (!isIdentifier(payload.sub)) return { ok: false, message: "the token's sub is no user name" };
    // Tenants of our own (the operator's probe) are not for anybody's token.
    if (!isIdentifier(tenant) || tenant.startsWith("wscluster."))
      return { ok: false, message: "the token's tenant is no name" };
    return { ok: true, identity: { user: payload.sub, tenant, ...placementOf(payload) } };
  } catch {
    return { ok: false, message: "the token is not valid" };
  }
}
