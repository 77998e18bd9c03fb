/** A bridge in one process: a worker, and the operator's side of it. */
import type { Logger } from 'pino';
import type { Apps } from './apps-file.ts';
import type { Cluster } from './cluster.ts';
import type { Config } from './config.ts';
import { Control } from './control.ts';
import type { Crew } from './crew.ts';
import { startEmbeddedList } from './embedded-list.ts';
import type { MetricJson } from './member.ts';
import type { NodeList } from './node-list.ts';
import type { SessionStore } from './store.ts';
import { Worker } from './worker.ts';

/** A bridge that serves until it is stopped. */
export interface Service {
  /** Where clients reach it. */
  readonly url: string;
  /** Where operators reach it; null without an admin token. */
  readonly adminUrl: string | null;
  readonly cluster: Cluster;
  readonly store: SessionStore;
  /** Reads the node list and the apps again, where they came from files. */
  reload(): Promise<void>;
  /**
   * Not ready, but serving for `waitMs` milliseconds (0 when left out); then takes no work, lets requests under
   * way finish for at most `graceMs` milliseconds, and closes everything.
   */
  stop(graceMs: number, waitMs?: number): Promise<void>;
}

/** Starts a bridge; rejects when a port is taken. */
export async function startService(config: Config, log: Logger): Promise<Service> {
  const embedded = await startEmbeddedList(config.embedded, log);
  const list = [...config.nodes, ...embedded.entries];
  const crew = new CrewOfOne();
  const control = new Control({ config, list, crew, log });
  const worker = new Worker({
    config: { ...config, nodes: list },
    log,
    id: 0,
    onTransition: (transition) => control.desk.transitioned(0, transition),
    warnings: () => control.warnings,
  });
  crew.worker = worker;
  const stop = async (graceMs: number, waitMs = 0): Promise<void> => {
    await worker.stop({ graceMs, waitMs });
    await control.stop();
    await embedded.close();
  };
  try {
    await worker.listen();
    await control.listen();
  } catch (error) {
    await stop(0);
    throw error;
  }
  const { cluster, store } = worker;
  return {
    url: worker.url,
    adminUrl: control.url,
    cluster,
    store,
    reload: () => control.reload(),
    stop,
  };
}

/** The one process. */
class CrewOfOne implements Crew {
  readonly crashes = 0;
  worker: Worker | null = null;

  members(): readonly Worker[] {
    return this.worker === null ? [] : [this.worker];
  }

  leaving(): readonly Worker[] {
    return [];
  }

  retired(): readonly (readonly MetricJson[])[] {
    return [];
  }

  setNodes(list: NodeList): void {
    this.worker?.setNodes(list);
  }

  setApps(apps: Apps): void {
    this.worker?.setApps(apps);
  }
}
