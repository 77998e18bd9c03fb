/** What the dashboard follows: server-sent events, first everything, then what is new, each second. */
import type { Context } from 'hono';
import type { Desk } from './desk.ts';
import type { Roster } from './roster.ts';

export interface TickOptions {
  readonly desk: Pick<Desk, 'overview' | 'samples' | 'incidents' | 'subscribe'>;
  readonly roster: Pick<Roster, 'source'>;
  /** Whether the browser is still logged in; asking counts as use. */
  readonly isOpen: () => boolean;
}

/** A browser that does not read for so many ticks gets no more; it connects again and starts anew. */
const MOST_WAITING = 30;

/** The stream for one browser, until it goes, stands still or is logged out. */
export function sendTicks(c: Context, { desk, roster, isOpen }: TickOptions): Response {
  const { overview, samples, incidents } = desk;
  const { source } = roster;
  let unfollow: (() => void) | undefined;
  // Made here rather than with Hono's streamSSE: that waits for a browser that does not read, for ever, and hears
  // nothing of one that goes while the first event is on its way.
  const events = new ReadableStream<Uint8Array>({
    start(controller) {
      const start = { overview, samples, incidents, source, isChangeable: source.kind !== 'file' };
      controller.enqueue(encodeEvent('start', start));
      unfollow = desk.subscribe((tick) => {
        const waiting = -(controller.desiredSize ?? 0);
        if (isOpen() && waiting < MOST_WAITING) return controller.enqueue(encodeEvent('tick', tick));
        unfollow?.();
        return controller.close();
      });
    },
    cancel: () => unfollow?.(),
  });
  return c.body(events, 200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
}

const encoder = new TextEncoder();

function encodeEvent(name: string, data: object): Uint8Array {
  // JSON has no line ends of its own.
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
