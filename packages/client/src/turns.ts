/** The calls of one session follow each other, whether the app awaits them or not. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;
  /** Whether a function of update() is being called. */
  #isChanging = false;

  /** Whether a call is under way, or waits. */
  get areTaken(): boolean {
    return this.#count > 0;
  }

  /** Runs the work when all calls before it are done, however they have ended. */
  async take<R>(work: () => Promise<R>): Promise<R> {
    this.assertNotChanging();
    this.#count += 1;
    const result = this.#last.then(work).finally(() => (this.#count -= 1));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Calls a function of update(): whatever that calls of the session before it awaits anything would wait for itself. */
  change<R>(call: () => R): R {
    this.#isChanging = true;
    try {
      return call();
    } finally {
      this.#isChanging = false;
    }
  }

  /** @throws TypeError when a function of update() calls. */
  assertNotChanging(): void {
    if (this.#isChanging)
      throw new TypeError('The function of update() changes its data, and calls nothing.');
  }
}
