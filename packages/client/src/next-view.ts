/** The session as a server component sees it: everything can be read, and every change is refused with advice. */
import { SessionError } from './errors.ts';
import { replaceData, type Session, type SessionControls } from './session.ts';

const ADVICE =
  'Server components, and callbacks of after(), can only read it: change it in a server action or a route handler.';

/** A view of the session that cannot change it, nested values included. */
export function readOnlyView<T extends object>(session: Session<T>): Session<T> {
  // Copied, because a proxy may not show other methods than its target's own fixed ones.
  const data: Record<string, unknown> = { ...session };
  freezeValues(data);
  const controls = readOnlyControls(session, () => {
    replaceData(data, { ...session });
    freezeValues(data);
  });
  const view = new Proxy(data, {
    get: (target, key) => (isControl(controls, key) ? controls[key] : Reflect.get(target, key)),
    set: refuse,
    deleteProperty: refuse,
    defineProperty: refuse,
    setPrototypeOf: refuse,
  });
  // The proxy shows the session's data and every member of its controls.
  return view as Session<T>;
}

function readOnlyControls<T extends object>(session: Session<T>, onReload: () => void): SessionControls<T> {
  return {
    save: refuseLater,
    destroy: refuseLater,
    regenerate: refuseLater,
    update: refuseLater,
    reload: async () => {
      await session.reload();
      onReload();
    },
    get meta() {
      return session.meta;
    },
  };
}

function isControl<T extends object>(
  controls: SessionControls<T>,
  key: string | symbol,
): key is keyof SessionControls<T> {
  return Object.hasOwn(controls, key);
}

function refuse(): never {
  throw new SessionError('read_only', ADVICE);
}

/** As the methods it stands for, it fails by its promise. */
async function refuseLater(): Promise<never> {
  return refuse();
}

function freezeValues(data: object): void {
  for (const value of Object.values(data)) freeze(value);
}

/** Plain objects and arrays, at any depth: what JSON carries. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return;
  Object.freeze(value);
  freezeValues(value);
}
