/** The working parts of one manager, put together. */
import { createEngine, type Engine } from './engine.ts';
import { Holdings } from './holdings.ts';
import { Homecoming } from './homecoming.ts';
import { SessionLoader } from './loader.ts';
import { SessionSaver } from './saver.ts';
import type { ResolvedOptions } from './settings.ts';

export interface Parts<T extends object> {
  readonly engine: Engine<T>;
  readonly holdings: Holdings<T>;
  readonly loader: SessionLoader<T>;
  readonly saver: SessionSaver<T>;
  readonly homecoming: Homecoming<T>;
}

export function createParts<T extends object>(options: ResolvedOptions<T>): Parts<T> {
  const engine = createEngine(options);
  const holdings = new Holdings(engine);
  const loader = new SessionLoader(engine, holdings);
  const homecoming = new Homecoming(engine, holdings, loader);
  return { engine, holdings, loader, homecoming, saver: new SessionSaver(engine, holdings) };
}
