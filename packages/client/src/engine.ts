/** What one manager's parts share: its options, its memory and its way to the bridges. */
import { warnOnConsole } from './console-events.ts';
import type { OnEvent } from './events.ts';
import { instanceMemory, type InstanceMemory } from './memory.ts';
import type { Clock, Sealer } from './ports.ts';
import { createRecordCodec } from './record.ts';
import { RemoteSessions } from './remote.ts';
import { createSealer } from './seal.ts';
import type { ResolvedOptions } from './settings.ts';
import { Transport } from './transport.ts';

export interface Engine<T extends object> {
  readonly options: ResolvedOptions<T>;
  readonly memory: InstanceMemory;
  readonly remote: RemoteSessions;
  /** For durations; `options.clock` is for what others read too. */
  readonly clock: Clock;
  readonly sealer: Sealer;
  /** Never throws. */
  readonly emit: OnEvent;
  /** Tells the developer something, once for all copies of this module in the process. */
  readonly warnOnce: (topic: string, text: string) => void;
  /** Whole seconds since 1970. */
  readonly nowSeconds: () => number;
}

/** Starts nothing: no timer, no request, no key before the first session is asked for. */
export function createEngine<T extends object>(options: ResolvedOptions<T>): Engine<T> {
  const { app, bridgeUrls, bridgeSecret, secrets, clock, holder } = options;
  const identity = JSON.stringify([app, bridgeUrls, bridgeSecret, secrets, options.codec.name]);
  const memory = instanceMemory(holder, identity, { limits: options.cache, clock });
  const warnOnce = (topic: string, text: string): void => {
    if (memory.said.has(topic)) return;
    memory.said.add(topic);
    console.warn(`memsession: ${text}`);
  };
  const emit = guarded(options.onEvent ?? warnOnConsole(warnOnce));
  const remote = new RemoteSessions({
    transport: new Transport({
      ...options,
      breakers: memory.breakers,
      deferred: memory.deferred,
      clock: memory.clock,
      wallClock: clock,
    }),
    deferred: memory.deferred,
    records: options.recordCodec ?? createRecordCodec(options),
    clock,
    steadyClock: memory.clock,
    onEvent: emit,
    ttl: options.ttl,
    absoluteTtl: options.absoluteTtl,
    maxRecordBytes: options.maxRecordBytes,
    codec: options.codec,
  });
  return {
    options,
    memory,
    clock: memory.clock,
    remote,
    sealer: options.sealer ?? createSealer(secrets),
    emit,
    warnOnce,
    nowSeconds: () => Math.floor(clock.now() / 1000),
  };
}

function guarded(onEvent: OnEvent): OnEvent {
  return (event) => {
    try {
      // A function that gives a promise fits where nothing is awaited; its failure would end the process.
      const result: unknown = onEvent(event);
      if (result instanceof Promise) result.catch(ignore);
    } catch {
      ignore();
    }
  };
}

function ignore(): void {
  // A defect in somebody's logging must not cost a session.
}
