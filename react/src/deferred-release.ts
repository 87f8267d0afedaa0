// Something that several users hold and that ends a moment after the last one let go. Not here: what it is.

/**
 * React mounts effects twice in strict mode, and moves components by unmounting and mounting them: an end that happens at once would
 * close a socket, or leave a channel and lose its place, only to start again in the same tick.
 */
export class DeferredRelease {
  #holders = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #end: () => void;

  constructor(end: () => void) {
    this.#end = end;
  }

  /** Returns the function that lets go; calling it again does nothing. */
  hold(): () => void {
    clearTimeout(this.#timer);
    this.#holders += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#timer = setTimeout(this.#end, 0);
    };
  }
}
