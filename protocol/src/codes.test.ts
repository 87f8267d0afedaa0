import { describe, expect, it } from "vitest";
import { CLOSE, CLOSE_CODES, closeActionFor, closeCodeOf } from "./close-codes.ts";
import type { CloseName } from "./close-codes.ts";
import { isRetryable, WIRE_ERRORS } from "./error-codes.ts";

describe("what the SDK carries instead of the tables", () => {
  it.each(Object.values(CLOSE_CODES))("does after $code what the table says", ({ code, action }) => {
    expect(closeActionFor(code)).toBe(action);
    expect(closeCodeOf(code)?.action).toBe(action);
  });

  it.each(Object.entries(CLOSE))("has the table's number for %s", (name, code) => {
    expect(CLOSE_CODES[name as CloseName].code).toBe(code);
  });

  it.each(Object.entries(WIRE_ERRORS))("tries again after %s iff the table says so", (code, { retry }) => {
    expect(isRetryable(code)).toBe(retry);
  });

  it("follows the ranges where the table has no entry, and backs off after a break", () => {
    expect([1006, 4050, 4150, 4250, 3999].map(closeActionFor)).toEqual([
      "backoff",
      "stay-away",
      "backoff",
      "window",
      "backoff",
    ]);
    expect(closeCodeOf(1006)).toBeUndefined();
    expect(isRetryable("of-the-future")).toBe(false);
  });
});
