// A signed token (HS256) as every contender takes it.
import { createHmac } from "node:crypto";
import { TOKEN_KEY } from "./contender.ts";

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export function tokenFor(user: string): string {
  const text = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ sub: user, exp: 4_102_444_800 })}`;
  return `${text}.${createHmac("sha256", TOKEN_KEY).update(text).digest("base64url")}`;
}
