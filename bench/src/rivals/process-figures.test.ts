import { describe, expect, it } from "vitest";
import { parseCpuTicks, parseKibibytes } from "./process-figures.ts";

describe("figures of a process", () => {
  it("finds user and system time behind a name with blanks and brackets", () => {
    expect(parseCpuTicks("17 (a (b) c) S 1 17 17 0 -1 4194560 100 0 0 0 250 31 7 8 20 0 1 0 100 0 0")).toBe(281);
  });

  it("finds a field and takes a missing one for nothing", () => {
    const text = "Name:\tnode\nVmHWM:\t  9999 kB\nVmRSS:\t   4321 kB\n";
    expect(parseKibibytes(text, "VmRSS")).toBe(4_321);
    expect(parseKibibytes(text, "VmSwap")).toBe(0);
  });
});
