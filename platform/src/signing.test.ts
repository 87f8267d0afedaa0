import { describe, expect, it } from "vitest";
import type { SignedWrite, Ticket } from "@wscluster/protocol";
import { sha256Hex, signTicket, signWrite, verifyTicket, verifyWrite } from "./signing.ts";

const write: SignedWrite = {
  method: "POST",
  path: "/contract/v1/mode",
  bodySha256: sha256Hex("{}"),
  podUid: "u",
  bootNonce: "n",
  epoch: 3,
  seq: 9,
};
const ticket: Ticket = {
  v: 1,
  session: "s1",
  g: 4,
  to: "b",
  from: "a",
  intent: "rollout/r/1",
  id: "m1",
};

describe("signWrite", () => {
  it("is verified by any of the keys and by no other", () => {
    const signature = signWrite("old", write);
    expect(verifyWrite(["new", "old"], write, signature)).toBe(true);
    expect(verifyWrite(["new"], write, signature)).toBe(false);
    expect(verifyWrite([], write, signature)).toBe(false);
  });

  it("binds every field", () => {
    const signature = signWrite("k", write);
    const changes: Partial<SignedWrite>[] = [
      { method: "PUT" },
      { path: "/contract/v1/grants" },
      { bodySha256: sha256Hex("[]") },
      { podUid: "v" },
      { bootNonce: "m" },
      { epoch: 4 },
      { seq: 10 },
    ];
    for (const change of changes) expect(verifyWrite(["k"], { ...write, ...change }, signature)).toBe(false);
  });

  it("refuses what is no signature", () => {
    for (const text of ["", "zz", "00", `${signWrite("k", write)}00`]) {
      expect(verifyWrite(["k"], write, text)).toBe(false);
    }
  });
});

describe("signTicket", () => {
  it("comes back whole, by any key", () => {
    expect(verifyTicket(["x", "k"], signTicket("k", ticket))).toEqual(ticket);
    expect(verifyTicket(["x"], signTicket("k", ticket))).toBeUndefined();
  });

  it("is void when a field was changed or carries a line break", () => {
    const signed = signTicket("k", ticket);
    const mac = signed.slice(signed.indexOf(".") + 1);
    const forged = Buffer.from(JSON.stringify({ ...ticket, to: "c" })).toString("base64url");
    expect(verifyTicket(["k"], `${forged}.${mac}`)).toBeUndefined();
    expect(verifyTicket(["k"], signTicket("k", { ...ticket, id: "m\n1" }))).toBeUndefined();
    for (const text of ["", ".", "a.b", "e30.e30"]) expect(verifyTicket(["k"], text)).toBeUndefined();
  });
});
