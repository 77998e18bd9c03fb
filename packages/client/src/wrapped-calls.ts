/** Calls of wrapped functions for one answer: within each other, one after the other, or side by side. */

/**
 * Of calls within each other the outer one finishes the answer: it saves, and closes the cookies. Of others the last
 * does too, which may have begun beside another one.
 */
export class WrappedCalls {
  #running = 0;

  /** Whether a function runs, so that somebody is still to finish the answer. */
  get areRunning(): boolean {
    return this.#running > 0;
  }

  /** A call begins. What it gets tells, when its function is done, whether the call is to finish the answer. */
  begin(): () => boolean {
    const isOuter = !this.areRunning;
    return () => isOuter || !this.areRunning;
  }

  /** Runs the function of a call. */
  async run<R>(work: () => R | Promise<R>): Promise<R> {
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
    }
  }
}
