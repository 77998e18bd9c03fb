/** What the dashboard follows: server-sent events, first everything, then what is new, each second. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Desk, Tick } from './desk.ts';
import type { Roster } from './roster.ts';

export interface TickOptions {
  readonly desk: Desk;
  readonly roster: Roster;
  /** Whether the browser is still logged in; asking counts as use. */
  readonly isOpen: () => boolean;
}

/** The stream for one browser, until it goes or is logged out. */
export function sendTicks(c: Context, { desk, roster, isOpen }: TickOptions): Response {
  return streamSSE(c, async (stream) => {
    const { overview, samples, incidents } = desk;
    const { source } = roster;
    const start = { overview, samples, incidents, source, isChangeable: source.kind !== 'file' };
    await stream.writeSSE({ event: 'start', data: JSON.stringify(start) });
    const ticks = new Ticks();
    const unsubscribe = desk.subscribe((tick) => (isOpen() ? ticks.add(tick) : ticks.end()));
    stream.onAbort(() => ticks.end());
    for (let tick = await ticks.next(); tick !== null; tick = await ticks.next())
      await stream.writeSSE({ event: 'tick', data: JSON.stringify(tick) });
    unsubscribe();
  });
}

/** A browser that does not read for so many ticks gets no more; it connects again and starts anew. */
const MOST_WAITING = 30;

/** Ticks that wait to be sent. */
class Ticks {
  readonly #waiting: Tick[] = [];
  #isOver = false;
  #wake: (() => void) | null = null;

  add(tick: Tick): void {
    if (this.#waiting.push(tick) > MOST_WAITING) this.#isOver = true;
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  /** The next one; null when there will be none. */
  async next(): Promise<Tick | null> {
    while (this.#waiting.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#isOver ? null : (this.#waiting.shift() ?? null);
  }
}
