/** Who a browser is: the sealed id, opened, made and made again. */
import type { Browser } from './browser.ts';
import type { Engine } from './engine.ts';
import { newSessionId } from './identifiers.ts';
import { isObject, isWhole } from './record.ts';
import { parseRef } from './protocol.ts';
import type { Identity } from './seal.ts';

/** The first of the browser's seals that is remembered, without opening any. */
export function rememberedIdentity<T extends object>(engine: Engine<T>, browser: Browser): Identity | null {
  const [seal] = browser.seals;
  if (seal === undefined) return null;
  return engine.memory.seals.get(seal, engine.options.clock.now());
}

/** The first of the browser's seals that is one of ours, or null. Never throws. */
export async function openIdentity<T extends object>(
  engine: Engine<T>,
  browser: Browser,
): Promise<Identity | null> {
  for (const seal of browser.seals) {
    const identity =
      engine.memory.seals.get(seal, engine.options.clock.now()) ?? (await unsealIdentity(engine, seal));
    if (identity !== null) return identity;
  }
  return null;
}

async function unsealIdentity<T extends object>(engine: Engine<T>, seal: string): Promise<Identity | null> {
  const { options, memory, sealer, emit } = engine;
  const opened = await sealer.unseal('id', seal);
  if (!opened.ok) {
    emit({ type: 'rejected', what: 'cookie', reason: opened.reason });
    return null;
  }
  const { payload, isCurrent } = opened;
  const identity = isObject(payload) && payload['app'] === options.app ? readIdentity(payload) : null;
  if (identity === null) {
    emit({ type: 'rejected', what: 'cookie', reason: 'foreign' });
    return null;
  }
  const known = { ...identity, seal, isCurrent };
  memory.seals.put(known, options.clock.now());
  return known;
}

function readIdentity({ id, iat }: Record<string, unknown>): Pick<Identity, 'id' | 'sealedAt'> | null {
  const ref = typeof id === 'string' ? parseRef(id) : null;
  return ref === null || ref.index !== null || !isWhole(iat) ? null : { id: ref.id, sealedAt: iat };
}

/** A new session's identity: an id that nobody has chosen. */
export function newIdentity<T extends object>(engine: Engine<T>): Promise<Identity> {
  return sealIdentity(engine, newSessionId(engine.options.random), engine.options.absoluteTtl);
}

/** The same id in a new seal, which ends with the session's absolute lifetime. */
export function renewIdentity<T extends object>(
  engine: Engine<T>,
  { id }: Identity,
  startedAt: number,
): Promise<Identity> {
  const left = startedAt + engine.options.absoluteTtl - engine.nowSeconds();
  return sealIdentity(engine, id, Math.max(1, left));
}

async function sealIdentity<T extends object>(
  { options, memory, sealer, nowSeconds }: Engine<T>,
  id: string,
  ttlSeconds: number,
): Promise<Identity> {
  const sealedAt = nowSeconds();
  const seal = await sealer.seal('id', { id, app: options.app, iat: sealedAt }, ttlSeconds);
  const identity = { id, seal, sealedAt, isCurrent: true };
  memory.seals.put(identity, options.clock.now());
  return identity;
}

/** Whether the seal is past half of its life in the browser, or made with an old secret. */
export function isRollDue<T extends object>(
  { options, nowSeconds }: Engine<T>,
  { isCurrent, sealedAt }: Identity,
): boolean {
  const lifetime = Math.min(options.absoluteTtl, options.cookie.maxAge ?? Infinity);
  return !isCurrent || nowSeconds() - sealedAt > lifetime / 2;
}
