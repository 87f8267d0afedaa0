// Tasks that must not overtake each other, by name. Not here: what they do.

export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  get size(): number {
    return this.#last.size;
  }

  /** Runs the task once those before it under this name are done. */
  run(name: string, task: () => Promise<void>): void {
    const before = this.#last.get(name) ?? Promise.resolve();
    const after = before.then(task).finally(() => {
      if (this.#last.get(name) === after) this.#last.delete(name);
    });
    this.#last.set(name, after);
  }
}
