// What a scenario is: one behaviour of the product on a real cluster, seen through public surfaces only.
import type { ClusterAccess } from "../cluster/access.ts";
import type { ProductImages } from "../product/install.ts";

export type Scenario = {
  readonly name: string;
  /** What it shows, as one sentence. */
  readonly shows: string;
  readonly timeoutSeconds: number;
  /**
   * `beside`: mostly waits, so it runs beside those that follow. `alone`: touches what all share (operator, Redis) or is judged by its
   * stamps, so it waits for every other one. Absent: one after another, also beside a `beside` one.
   */
  readonly company?: "beside" | "alone";
  run(context: ScenarioContext): Promise<void>;
};

export type ScenarioContext = {
  readonly access: ClusterAccess;
  readonly images: ProductImages;
  /** Its own; removed afterwards. */
  readonly namespace: string;
  /** Shorter waits where the behaviour does not depend on them. */
  readonly quick: boolean;
  /** Aborted on Ctrl-C and when the time is up. */
  readonly signal: AbortSignal;
  /** A line for people: figures that were seen. */
  say(text: string): void;
  /** Runs at the end, last first, whatever happened. */
  defer(cleanup: () => Promise<void> | void): void;
};

/** This machine cannot run the scenario; the reason is reported. */
export class Skip extends Error {
  override readonly name = "Skip";
}

/** Something that was promised did not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Collects everything that does not hold, so that one run tells all of it. */
export class Checks {
  readonly #violations: string[] = [];

  equal(what: string, actual: unknown, expected: unknown): void {
    const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (seen !== wanted) this.#violations.push(`${what}: ${seen}, not ${wanted}`);
  }

  holds(what: string, isTrue: boolean, seen: unknown): void {
    if (!isTrue) this.#violations.push(`${what} does not hold: ${JSON.stringify(seen)}`);
  }

  /** Throws all of them. */
  settle(): void {
    if (this.#violations.length > 0) throw new Violation(this.#violations.join("\n"));
  }
}
