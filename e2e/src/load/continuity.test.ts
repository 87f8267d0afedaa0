import { describe, expect, it } from "vitest";
import { continuityOf, type SocketLife } from "./continuity.ts";

const END = 10_000;
const first: SocketLife = { openedAt: 0, welcomedAt: 10, pod: "a", prepared: false, resumed: false };
const second: SocketLife = {
  openedAt: 1_000,
  welcomedAt: 1_010,
  pod: "b",
  prepared: true,
  resumed: true,
  commitSentAt: 1_020,
  committedAt: 1_025,
};

describe("continuityOf", () => {
  it("finds nothing in a client that stayed", () => {
    expect(continuityOf([first], END)).toEqual({
      moves: 0,
      makeBeforeBreak: 0,
      resumes: 0,
      resets: 0,
      cut: 0,
      longestDarkMs: 0,
      longestHoldMs: 0,
      pod: "a",
      isHeld: true,
    });
  });

  it("counts a move that made before it broke: never dark, writes wait during the commit", () => {
    const left = { ...first, closeCalledAt: 1_030, closedAt: 1_031, closeCode: 1000 };
    expect(continuityOf([left, second], END)).toMatchObject({
      moves: 1,
      makeBeforeBreak: 1,
      cut: 0,
      longestDarkMs: 0,
      longestHoldMs: 5,
      pod: "b",
    });
  });

  it.each([
    ["closed before the commit", { closeCalledAt: 1_015, closedAt: 1_016 }, 0, 10],
    ["closed by the server before the welcome", { closedAt: 1_000, closeCode: 4201 }, 10, 25],
    ["closed by the server after the commit", { closedAt: 1_040, closeCode: 4200 }, 0, 5],
  ])("refuses the proof when the old socket was %s", (_, close, longestDarkMs, longestHoldMs) => {
    const continuity = continuityOf([{ ...first, ...close }, second], END);
    expect(continuity).toMatchObject({ moves: 1, makeBeforeBreak: 0, longestDarkMs, longestHoldMs });
  });

  it("counts a break, the dark time and the resume", () => {
    const broken = { ...first, closedAt: 2_000, closeCode: 1006 };
    const back = { ...first, openedAt: 2_400, welcomedAt: 2_410, resumed: true };
    expect(continuityOf([broken, back], END)).toMatchObject({ resumes: 1, resets: 0, cut: 1, longestDarkMs: 410 });
    expect(continuityOf([broken, { ...back, resumed: false }], END)).toMatchObject({ resumes: 0, resets: 1 });
  });

  it("takes a client that never came back as dark until the end", () => {
    expect(continuityOf([{ ...first, closedAt: 4_000 }], END)).toMatchObject({
      cut: 1,
      longestDarkMs: 6_000,
      isHeld: false,
    });
  });

  it("does not count a preparation that was given up", () => {
    const givenUp: SocketLife = { openedAt: 1, welcomedAt: 2, pod: "b", prepared: true, closeCalledAt: 5, closedAt: 6 };
    expect(continuityOf([first, givenUp], END)).toMatchObject({ moves: 0, cut: 0, longestDarkMs: 0, pod: "a" });
  });

  it("does not count closes at the end of the run", () => {
    expect(continuityOf([{ ...first, closeCalledAt: END + 1, closedAt: END + 2 }], END).cut).toBe(0);
  });
});
