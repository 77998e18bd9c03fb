/** A fetch that breaks on demand, per bridge. */
import type { Fetch } from '../../packages/client/src/index.ts';

/**
 * - `refuse`: no connection.
 * - `hang`: no answer until the caller gives up.
 * - `lose`: the request is carried out, its answer is lost.
 * - `html`: somebody else answers, with a page.
 * - `redirect`: somebody else sends the caller elsewhere.
 */
export type Fault = 'refuse' | 'hang' | 'lose' | 'html' | 'redirect';

export type Step = (pass: () => Promise<Response>) => Promise<Response>;

export class FaultyFetch {
  readonly #fetch: Fetch;
  /** Start of a URL → what happens there. */
  readonly #faults = new Map<string, Fault>();
  /** What happens to the next requests, one each; before the lasting faults. */
  readonly #once: Fault[] = [];
  /** What is done with the next requests, one each; before everything else. */
  readonly #steps: Step[] = [];
  /** Requests that have been held back and wait to be let through. */
  readonly #held: (() => void)[] = [];
  #isHolding = false;
  /** How many requests have come. */
  count = 0;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** From now on, at bridges whose URL starts like this; null heals them. */
  set(fault: Fault | null, start = ''): void {
    if (fault === null) this.#faults.delete(start);
    else this.#faults.set(start, fault);
  }

  /** For the next request only. */
  once(fault: Fault): void {
    this.#once.push(fault);
  }

  /** The next request is handled by the test: it passes it on, or not, when it likes. */
  script(step: Step): void {
    this.#steps.push(step);
  }

  /** Answers wait until they are released. */
  hold(): void {
    this.#isHolding = true;
  }

  /** New answers no longer wait; those that do, still do. */
  letNewPass(): void {
    this.#isHolding = false;
  }

  release(): void {
    this.#isHolding = false;
    for (const go of this.#held.splice(0)) go();
  }

  get heldCount(): number {
    return this.#held.length;
  }

  readonly fetch: Fetch = async (url, init) => {
    this.count += 1;
    const step = this.#steps.shift();
    if (step !== undefined) return step(() => this.#fetch(url, init));
    const fault = this.#once.shift() ?? this.#faultAt(url);
    switch (fault) {
      case null:
        break;
      case 'refuse':
        throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
      case 'hang':
        return hang(init.signal);
      case 'lose':
        await this.#fetch(url, init);
        throw new TypeError('fetch failed', { cause: new Error('other side closed') });
      case 'html':
        return new Response('<!doctype html><title>Welcome</title>', {
          headers: { 'content-type': 'text/html' },
        });
      case 'redirect':
        return new Response(null, { status: 302, headers: { location: 'https://login.example/' } });
    }
    const response = await this.#fetch(url, init);
    if (this.#isHolding) await new Promise<void>((resolve) => this.#held.push(resolve));
    return response;
  };

  #faultAt(url: string): Fault | null {
    for (const [start, fault] of this.#faults) if (url.startsWith(start)) return fault;
    return null;
  }
}

function hang(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });
}
