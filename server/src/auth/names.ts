// Names of users and tenants. Pure.

export const DEFAULT_TENANT = "default";

// `/` parts tenant, user and producer in keys; a line break ends the head of a publication in the store.
export function isIdentifier(text: unknown): text is string {
  return typeof text === "string" && /^[^\p{Cc}/]{1,128}$/u.test(text);
}
