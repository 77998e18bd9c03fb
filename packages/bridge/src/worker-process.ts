/** The life of a worker in a process of its own: it does what its parent says. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import type { FromWorker, Question, Reply, ToWorker } from './ipc.ts';
import { createLog } from './log.ts';
import { Worker } from './worker.ts';

/** Serves until the parent says stop, or is gone. */
export async function runWorkerProcess(): Promise<void> {
  const parent = cluster.worker;
  if (parent === undefined) throw new TypeError('This process was not started as a worker.');
  const follower = new Follower(parent);
  await new Promise<void>((resolve) => {
    // Only the parent speaks on this channel.
    parent.on('message', (message: ToWorker) => void follower.follow(message, resolve));
    parent.send({ kind: 'hello' } satisfies FromWorker);
  });
  parent.disconnect();
}

class Follower {
  readonly #parent: ClusterWorker;
  #worker: Worker | null = null;
  #warnings: readonly string[] = [];

  constructor(parent: ClusterWorker) {
    this.#parent = parent;
  }

  async follow(message: ToWorker, end: () => void): Promise<void> {
    const worker = this.#worker;
    if (message.kind === 'start') return this.#start(message);
    if (worker === null) return;
    switch (message.kind) {
      case 'ask':
        return this.#answer(worker, message);
      case 'nodes':
        worker.setNodes(message.list);
        return;
      case 'apps':
        worker.setApps(message.apps);
        return;
      case 'warnings':
        this.#warnings = message.warnings;
        return;
      case 'told':
        worker.told(message.index, message.to, message.reason);
        return;
      case 'stop': {
        await worker.stop(message);
        const metrics = await worker.metrics.registry.getMetricsAsJSON();
        this.#parent.send({ kind: 'ended', metrics } satisfies FromWorker, () => end());
      }
    }
  }

  async #start({ config }: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
    const { id } = this.#parent;
    try {
      this.#worker = new Worker({
        config,
        id,
        log: createLog(config.logLevel, id),
        onTransition: ({ index, from, to, reason }, isHearsay) =>
          this.#say({ kind: 'transition', index, from, to, reason, isHearsay }),
        warnings: () => this.#warnings,
      });
      await this.#worker.listen();
      this.#say({ kind: 'serving', url: this.#worker.url });
    } catch (error) {
      this.#say({ kind: 'failed', message: error instanceof Error ? error.message : 'unknown failure' });
    }
  }

  async #answer(worker: Worker, { number, question }: Extract<ToWorker, { kind: 'ask' }>): Promise<void> {
    try {
      this.#say({ kind: 'reply', number, reply: await ask(worker, question) });
    } catch (error) {
      const message = error instanceof Error ? error.message : 'unknown failure';
      this.#say({ kind: 'no reply', number, message });
    }
  }

  #say(message: FromWorker): void {
    if (this.#parent.isConnected()) this.#parent.send(message);
  }
}

function ask(worker: Worker, question: Question): Promise<Reply> {
  switch (question.kind) {
    case 'look':
      return worker.look();
    case 'facts':
      return worker.facts();
    case 'explain':
      return worker.explain(question);
  }
}
