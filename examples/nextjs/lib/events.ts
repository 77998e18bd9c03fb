/** What the sessions of this instance have been through lately, in words, for the panel. */
import type { SessionEvent } from '@memsession/client';

export interface ToldEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

const MOST = 30;

/** Next.js loads this module several times; all copies share one list. */
const KEY = Symbol.for('memsession-example.events');
const shared = globalThis as { [KEY]?: ToldEvent[] };

export function recentEvents(): readonly ToldEvent[] {
  return shared[KEY] ?? [];
}

/** For `onEvent`. Events hold no ids and no data, so they can be shown to everybody. */
export function rememberEvent(event: SessionEvent): void {
  const events = (shared[KEY] ??= []);
  events.push({ at: Date.now(), text: describe(event) });
  events.splice(0, events.length - MOST);
}

function describe(event: SessionEvent): string {
  switch (event.type) {
    case 'backup':
      return `Version ${event.version} was backed up: home is node ${event.home}, ${event.copies ?? '?'} copies.`;
    case 'relocate':
      return `A session moved from node ${event.from} to node ${event.to}, at version ${event.version}.`;
    case 'takeover':
      return `A session was taken over at version ${event.version}, from node ${event.home}.`;
    case 'conflict':
      if (event.round === 0)
        return `Version ${event.version} stands; a change of ${event.keys.join(', ')} is lost.`;
      return `Two requests saved at once; they were merged on top of version ${event.version}.`;
    case 'restore':
      return `What the nodes had lost was stored again, as version ${event.version}.`;
    case 'fallback':
      return `Nothing could be stored: version ${event.version} rides in the cookie (${event.bytes} bytes).`;
    case 'unavailable':
      return `A ${event.operation} failed: ${event.code}.`;
    case 'rejected':
      return `A ${event.what} was not believed: ${event.reason}.`;
  }
}
