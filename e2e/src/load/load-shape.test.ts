import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram, quantileOf } from "./histogram.ts";
import { roomSizes, seatsFor } from "./rooms.ts";
import { seededRandom } from "./seeded-random.ts";

describe("rooms", () => {
  it("hold everybody, at least two each, in mixed sizes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5_000 }), fc.integer({ min: 1, max: 200 }), (clients, rooms) => {
        const sizes = roomSizes(clients, rooms);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(clients);
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(2);
      }),
    );
    const sizes = roomSizes(500, 50);
    expect(sizes).toHaveLength(50);
    expect(Math.max(...sizes)).toBeGreaterThan(3 * Math.min(...sizes));
  });

  it("seat each client once and send every tenth to a second room", () => {
    const seats = seatsFor(100, 10, "x-");
    expect(new Set(seats.map((seat) => seat.client)).size).toBe(100);
    expect(seats.filter((seat) => seat.guestOf !== undefined)).toHaveLength(10);
    expect(seats.every((seat) => seat.guestOf !== seat.home)).toBe(true);
  });
});

describe("histogram", () => {
  it("keeps quantiles within its bucket width and the exact maximum, also when merged", () => {
    const all = new Histogram();
    const half = new Histogram();
    for (let value = 1; value <= 1_000; value += 1) (value % 2 ? all : half).add(value);
    all.merge(half.data());
    expect(all.count).toBe(1_000);
    expect(all.maxMs).toBe(1_000);
    expect(all.quantileMs(0.5)).toBeGreaterThanOrEqual(500);
    expect(all.quantileMs(0.5)).toBeLessThanOrEqual(500 * 1.02);
    expect(all.quantileMs(0.99)).toBeLessThanOrEqual(990 * 1.02);
    expect(new Histogram().quantileMs(0.99)).toBe(0);
  });

  it("takes the nearest rank of a list", () => {
    expect(quantileOf([5, 1, 3], 0.5)).toBe(3);
    expect(quantileOf([5, 1, 3], 0.99)).toBe(5);
    expect(quantileOf([], 0.5)).toBe(0);
  });
});

it("seeded randomness repeats", () => {
  const [a, b, c] = [seededRandom(1), seededRandom(1), seededRandom(2)];
  const first = Array.from({ length: 5 }, a);
  expect(Array.from({ length: 5 }, b)).toEqual(first);
  expect(Array.from({ length: 5 }, c)).not.toEqual(first);
});
