// The operator's own switches: one ConfigMap in its namespace, watched live. Not here: what a switch stops (decide/holds.ts).
import { type ConfigMap, type KubeApi, Reflector, resources } from "../kube/index.ts";
import type { Clock } from "../runtime/index.ts";

export const MOVES_PAUSED_KEY = "movesPaused";

export type SwitchesOptions = {
  readonly client: Pick<KubeApi, "list" | "watch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly namespace: string;
  /** Name of the ConfigMap. */
  readonly name: string;
  readonly onProblem: (problem: { resource: string; doing: string; error: unknown }) => void;
};

export class OperatorSwitches {
  readonly #reflector: Reflector<ConfigMap>;
  readonly #name: string;
  readonly #namespace: string;

  constructor({ client, clock, random, namespace, name, onProblem }: SwitchesOptions) {
    this.#name = name;
    this.#namespace = namespace;
    const fieldSelector = `metadata.name=${name}`;
    const resource = resources.configMaps;
    this.#reflector = new Reflector({ client, resource, namespace, fieldSelector, clock, random, onProblem });
  }

  /** @param onChange the switch was turned */
  start(onChange: (movesPaused: boolean) => void): void {
    let before = this.movesPaused;
    this.#reflector.onChange(() => {
      if (this.movesPaused === before) return;
      before = this.movesPaused;
      onChange(before);
    });
    this.#reflector.start();
  }

  /** False also while the ConfigMap cannot be read: without the right to read it everything else still works. */
  get movesPaused(): boolean {
    const map = this.#reflector.store.get({ namespace: this.#namespace, name: this.#name });
    return isOn(map?.data?.[MOVES_PAUSED_KEY]);
  }

  /** Waits until the switches have been read, or for so long. */
  async settle(withinMs: number): Promise<boolean> {
    return this.#reflector.waitForSync(AbortSignal.timeout(withinMs));
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}

/** Somebody who wrote anything but a plain no meant to stop something. */
function isOn(value: string | undefined): boolean {
  return !["", "false", "no", "off", "0"].includes((value ?? "").trim().toLowerCase());
}
