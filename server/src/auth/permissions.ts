// What an identity may do with a channel. Pure. Not here: where the rules come from (settings, tokens).

export const ACTIONS = ["subscribe", "publish", "history", "presence", "direct", "rpc"] as const;

/** `direct` = write to a user's inbox, by the user's name; `rpc` = call a route, by its name; the others by the channel's. */
export type Action = (typeof ACTIONS)[number];

export type Permission = {
  /** Patterns: `*` stands for any text; `{user}` and `{tenant}` for those of the identity. */
  readonly names: readonly string[];
  readonly actions: readonly Action[];
  /** Tenants that it is for; absent = all. */
  readonly tenants?: readonly string[];
  /** Not before, and not from this time on, in milliseconds since 1970. */
  readonly startsAtMs?: number;
  readonly endsAtMs?: number;
};

export type PermissionFacts = {
  readonly user: string;
  readonly tenant: string;
  readonly nowMs: number;
  /** Rules for everybody; `undefined` = there are none. */
  readonly rules: readonly Permission[] | undefined;
  /** Of this identity's token; `undefined` = it names none. */
  readonly grants: readonly Permission[] | undefined;
};

/** Without any rule and grant everything is allowed; else what one of them allows. */
export function permits(facts: PermissionFacts, action: Action, name: string): boolean {
  const { rules, grants } = facts;
  if (rules === undefined && grants === undefined) return true;
  return [...(rules ?? []), ...(grants ?? [])].some((rule) => isAllowedBy(rule, facts, action, name));
}

function isAllowedBy(
  rule: Permission,
  { user, tenant, nowMs }: PermissionFacts,
  action: Action,
  name: string,
): boolean {
  if (!rule.actions.includes(action)) return false;
  if (rule.tenants && !rule.tenants.includes(tenant)) return false;
  if (nowMs < (rule.startsAtMs ?? 0) || nowMs >= (rule.endsAtMs ?? Infinity)) return false;
  return rule.names.some((pattern) => {
    // Cut at the stars first: a user who is called `*` gets no star.
    const parts = pattern
      .split("*")
      .map((part) => part.replaceAll(/\{user\}|\{tenant\}/g, (of) => (of === "{user}" ? user : tenant)));
    return isMatch(parts, name);
  });
}

/** `parts` = what is between the stars. */
function isMatch(parts: readonly string[], name: string): boolean {
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return name === first;
  if (!name.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
