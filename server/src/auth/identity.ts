// Who a client is: from a signed token, from the application's own function or web hook, or anonymous. Not here: what it may do
// (permissions.ts), keys (tokens.ts).

import { randomBytes } from "node:crypto";
import { DEFAULT_TENANT, isIdentifier } from "./names.ts";
import type { Permission } from "./permissions.ts";
import { createTokenCheck } from "./tokens.ts";
import type { TokenOptions } from "./tokens.ts";
import type { Placement } from "./placement.ts";

/** What a token said beside the name. */
export type Authentication = {
  /** When it was issued. */
  readonly atMs: number;
  readonly expiresAtMs?: number;
  /** What it allows; absent = it does not say. */
  readonly grants?: readonly Permission[];
};

/** @property auth absent for anonymous users. */
export type Identity = { readonly user: string; readonly tenant: string; readonly auth?: Authentication } & Placement;

export type IdentityResult =
  | { readonly ok: true; readonly identity: Identity }
  /** `isTransient`: nobody could be asked; the same token may be good later. */
  | { readonly ok: false; readonly message: string; readonly isTransient?: boolean };

export type IdentityOptions = TokenOptions & {
  readonly anonymous: boolean;
  /** Instead of all this: the application's own. */
  readonly identify?: Identify | undefined;
};

export type Identify = (claim: { readonly token?: string; readonly user?: string }) => Promise<IdentityResult>;

export function createIdentify(options: IdentityOptions): Identify {
  if (options.identify) return options.identify;
  const check = createTokenCheck(options);
  return async ({ token, user }) => {
    if (token !== undefined) {
      return check ? check(token) : { ok: false, message: "cannot check the token: this server has no key for tokens" };
    }
    if (!options.anonymous) return { ok: false, message: "a token is needed" };
    // Beside signed users nobody may take a name for the asking.
    const name = check || user === undefined ? `anon-${randomBytes(6).toString("hex")}` : user;
    if (!isIdentifier(name))
      return { ok: false, message: "user must have 1 to 128 characters, without / and control characters" };
    return { ok: true, identity: { user: name, tenant: DEFAULT_TENANT } };
  };
}
