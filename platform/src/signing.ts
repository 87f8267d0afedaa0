// HMACs of the pod contract and of move tickets. Not here: what is signed (protocol/src/contract.ts), where keys come from.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { FORMAT_VERSIONS, probeText, signedText, ticketText } from "@wscluster/protocol";
import type { SignedWrite, Ticket } from "@wscluster/protocol";

function hmac(key: string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function equal(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** Lower-case hexadecimal SHA-256 of a body, as `SignedWrite.bodySha256` wants it. */
export function sha256Hex(body: string | Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** Hexadecimal signature of a contract write, for the header `x-wsc-signature`. */
export function signWrite(key: string, write: SignedWrite): string {
  return hmac(key, signedText(write)).toString("hex");
}

/** True if any of the keys made the signature. All keys are tried, in constant time each. */
export function verifyWrite(keys: readonly string[], write: SignedWrite, signature: string): boolean {
  return isSignedBy(keys, signedText(write), signature);
}

type Probe = Parameters<typeof probeText>[0];

/** Value of the header `x-wscluster-probe`. */
export function signProbe(key: string, probe: Probe): string {
  return `${probe.nonce}.${hmac(key, probeText(probe)).toString("hex")}`;
}

/** True if any of the keys made the signature of a probe. */
export function verifyProbe(keys: readonly string[], probe: Probe, signature: string): boolean {
  return isSignedBy(keys, probeText(probe), signature);
}

function isSignedBy(keys: readonly string[], text: string, signature: string): boolean {
  if (!/^[0-9a-f]{64}$/.test(signature)) return false;
  const given = Buffer.from(signature, "hex");
  let valid = false;
  for (const key of keys) valid = equal(hmac(key, text), given) || valid;
  return valid;
}

/** A ticket as it travels: base64url(JSON) "." base64url(HMAC). */
export function signTicket(key: string, ticket: Ticket): string {
  const body = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `${body}.${hmac(key, ticketText(ticket)).toString("base64url")}`;
}

/** The content of a ticket that one of the keys signed; `undefined` for anything else, whatever is wrong with it. */
export function verifyTicket(keys: readonly string[], text: string): Ticket | undefined {
  const dot = text.indexOf(".");
  if (dot <= 0 || text.length > 4_096) return undefined;
  const ticket = parseTicket(text.slice(0, dot));
  if (!ticket) return undefined;
  const given = Buffer.from(text.slice(dot + 1), "base64url");
  const signed = ticketText(ticket);
  let valid = false;
  for (const key of keys) valid = equal(hmac(key, signed), given) || valid;
  return valid ? ticket : undefined;
}

function parseTicket(body: string): Ticket | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  return isTicket(value) ? value : undefined;
}

// A line break in a field would let two different tickets have the same signed text.
function isLine(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && !value.includes("\n");
}

function isTicket(value: unknown): value is Ticket {
  if (typeof value !== "object" || value === null) return false;
  const { v, session, g, to, from, intent, id } = value as Record<string, unknown>;
  return (
    v === FORMAT_VERSIONS.ticket &&
    isLine(session) &&
    Number.isSafeInteger(g) &&
    isLine(to) &&
    isLine(from) &&
    isLine(intent) &&
    isLine(id)
  );
}
