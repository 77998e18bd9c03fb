/** A browser's cookies, and what they say to the eye of somebody who knows which seal stands for which session. */
import { parseSetCookie } from 'cookie';

const WHO = '__Host-session';
const AT = '__Host-session-at';

/** What the cookies of one request name. */
export interface Presented {
  readonly header: string;
  readonly session: string | null;
  readonly floor: number;
  readonly isCarrying: boolean;
}

export class Jar {
  readonly #cookies: Map<string, string> = new Map();
  /** Seal → session, learnt from the answers that set it. */
  readonly #sessions: Map<string, string> = new Map();

  present(): Presented {
    const header = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const seal = this.#cookies.get(WHO);
    const hint = /^(?:-|\d{1,4})\.(\d+)\.(.{8})(\..+)?$/.exec(this.#cookies.get(AT) ?? '');
    const isMine = hint !== null && seal?.slice(-8) === hint[2];
    return {
      header,
      session: seal === undefined ? null : (this.#sessions.get(seal) ?? null),
      floor: isMine ? Number(hint[1]) : 0,
      isCarrying: isMine && hint[3] !== undefined,
    };
  }

  /** The same cookies at this moment, as in a tab that was forgotten or a copy that somebody made. */
  clone(): Jar {
    const copy = new Jar();
    for (const [name, value] of this.#cookies) copy.#cookies.set(name, value);
    for (const [seal, session] of this.#sessions) copy.#sessions.set(seal, session);
    return copy;
  }

  /** Takes the cookies of an answer about this session, in their order. */
  take(lines: readonly string[], session: string | null): void {
    for (const line of lines) {
      const { name, value = '', maxAge } = parseSetCookie(line);
      if (maxAge === 0) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
      if (name === WHO && session !== null) this.#sessions.set(value, session);
    }
  }
}
