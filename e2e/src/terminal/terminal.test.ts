import { describe, expect, it } from "vitest";
import { formatDuration } from "./duration.ts";
import { createProgress, progressLine } from "./progress.ts";
import { renderTable } from "./table.ts";

describe("formatDuration", () => {
  it.each([
    [0, "0 s"],
    [12_400, "12 s"],
    [60_000, "1 min"],
    [125_000, "2 min 5 s"],
    [3_780_000, "1 h 3 min"],
    [7_200_000, "2 h"],
  ])("shows %d ms as %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe("renderTable", () => {
  it("aligns columns and leaves no blanks at line ends", () => {
    expect(
      renderTable(
        ["NAME", "READY"],
        [
          ["n1", "True"],
          ["a-long-name", ""],
        ],
      ),
    ).toBe("NAME         READY\nn1           True\na-long-name");
  });
});

describe("progress", () => {
  it("counts steps and names the elapsed time", () => {
    expect(progressLine(3, 9, "kube-scheduler 1.37.2", "building", 12_000)).toBe(
      "[3/9] kube-scheduler 1.37.2: building (12 s)",
    );
    expect(progressLine(1, 1, "network", "done", 40)).toBe("[1/1] network: done");
  });

  it("writes one closing line per quick step where there is no terminal", async () => {
    const written: string[] = [];
    const progress = createProgress({ write: (text) => written.push(text) }, () => 0);
    progress.begin(2);
    await progress.step("a", "building", async (report) => report.done("built"));
    await progress.step("b", "waiting", async () => undefined);
    expect(written).toEqual(["[1/2] a: built\n", "[2/2] b: done\n"]);
  });

  it("redraws in place on a terminal and keeps within its width", async () => {
    const written: string[] = [];
    const progress = createProgress({ isTTY: true, columns: 31, write: (text) => written.push(text) }, () => 0);
    progress.begin(1);
    await progress.step("a title that is rather long", "building", async () => undefined);
    expect(written[0]).toBe("\r\u001b[2K[1/1] a title that is rather l");
    expect(written.at(-1)?.endsWith("\n")).toBe(true);
  });

  it("shows a failed step and passes its error on", async () => {
    const written: string[] = [];
    const progress = createProgress({ write: (text) => written.push(text) }, () => 0);
    progress.begin(1);
    await expect(
      progress.step("a", "building", async () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(written).toEqual(["[1/1] a: failed\n"]);
  });
});
