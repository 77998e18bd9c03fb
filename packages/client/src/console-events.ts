/** What the console is told where nobody listens to events: the first trouble of each kind, and what to look at. */
import type { OnEvent, RejectedEvent, UnavailableEvent } from './events.ts';
import { ERRORS, type ErrorCode } from './protocol.ts';

type WarnOnce = (topic: string, text: string) => void;

/** Mistakes in the settings that look like an outage, by what the outage is called. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  unauthorized: ' Is BRIDGE_SECRET the one that the bridge has for this app?',
  bridge_unavailable: ' Is there a bridge at BRIDGE_URL?',
  invalid_response: ' Is there a bridge at BRIDGE_URL?',
};
const ONCE = 'This is said once; the option onEvent tells each time.';

/** The default of `onEvent`: without it, a wrong setting would only show in an outage that nobody is told of. */
export function warnOnConsole(warnOnce: WarnOnce): OnEvent {
  return (event) => {
    if (event.type === 'unavailable') warnOnce(`unavailable ${event.code}`, describeOutage(event));
    if (event.type === 'rejected') {
      const { what, reason } = event;
      const text = describeRejection(event);
      if (text !== null) warnOnce(`rejected ${what} ${reason}`, text);
    }
  };
}

function describeOutage({ operation, code, cause }: UnavailableEvent): string {
  const reason = deepestCode(cause);
  const details = `${reason === null ? '' : ` (${reason})`}${HINTS[code] ?? ''}`;
  return `${operation}: ${ERRORS[code].meaning}${details} Meanwhile saves ride in cookies, where they fit. ${ONCE}`;
}

/** Cookies that are merely old or broken are nobody's mistake. */
function describeRejection({ what, reason }: RejectedEvent): string | null {
  if (what === 'record') return `a stored session was not believed: ${reason}. ${ONCE}`;
  if (reason !== 'unknown_key') return null;
  return `a cookie was sealed with another SESSION_SECRET, which all instances must have; it counts as none. ${ONCE}`;
}

/** The innermost code of the platform, e.g. ECONNREFUSED; its messages might name a session. */
function deepestCode(error: unknown): string | null {
  let code: string | null = null;
  for (let depth = 0, inner = error; depth < 5 && inner instanceof Error; depth += 1, inner = inner.cause) {
    if (depth > 0 && 'code' in inner && typeof inner.code === 'string') code = inner.code;
  }
  return code;
}
