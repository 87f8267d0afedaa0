// Session ids and resume secrets. Not here: the row.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

export function newSessionId(): string {
  return randomBytes(12).toString("base64url");
}

/** 256 bits. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What the store keeps. A fast hash is right here: the secret has 256 random bits, there is nothing to guess. */
export function secretDigest(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

export function isSecretOf(digest: string, secret: string): boolean {
  const given = Buffer.from(secretDigest(secret));
  const kept = Buffer.from(digest);
  return given.length === kept.length && timingSafeEqual(given, kept);
}
