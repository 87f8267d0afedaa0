import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { seededRandom } from "../load/seeded-random.ts";
import type { Weather } from "./simulation.ts";
import { simulate } from "./simulation.ts";

// More runs than the tests need: `npm run simulate -- --runs 3400`.
const RUNS = Number(process.env["WSCLUSTER_SIMULATIONS"] ?? 60);
const FIRST = Number(process.env["WSCLUSTER_SEED"] ?? 1);

beforeAll(() => {
  vi.useFakeTimers();
});
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the guarantee table holds in every simulated life of a fleet", () => {
  it.each<Weather>(["black-holes", "deaf-store", "failovers"])(
    "with %s",
    async (weather) => {
      const totals = { published: 0, moves: 0, resumes: 0, diverged: 0 };
      for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) {
        vi.spyOn(Math, "random").mockImplementation(seededRandom(seed));
        const outcome = await simulate(seed, weather, { advance: (ms) => vi.advanceTimersByTimeAsync(ms) });
        expect(outcome.broken, `seed ${seed}, ${weather}:\n${outcome.log.join("\n")}`).toEqual([]);
        totals.published += outcome.published;
        totals.moves += outcome.moves;
        totals.resumes += outcome.resumes;
        totals.diverged += outcome.diverged;
      }
      const last = FIRST + RUNS - 1;
      console.log(`${weather}: seeds ${FIRST} to ${last}, ${JSON.stringify(totals)}`);
      // A simulation in which nothing happens proves nothing.
      expect(totals.published).toBeGreaterThan(RUNS * 50);
      expect(totals.moves).toBeGreaterThan(RUNS);
      expect(totals.resumes).toBeGreaterThan(RUNS);
      if (weather === "failovers") expect(totals.diverged).toBeGreaterThan(RUNS / 4);
    },
    RUNS * 5_000 + 20_000,
  );
});
