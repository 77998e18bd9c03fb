/** Keeps the node list in step with its file; a file that is wrong leaves the last good list in force. */
import type { Logger } from 'pino';
import { type NodeList, parseNodesFile } from './node-list.ts';
import type { Clock } from './node.ts';

export interface NodesFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly readFile: (path: string) => Promise<string>;
  /** Puts a list in force, or returns why it may not be. */
  readonly apply: (list: NodeList) => string[];
  readonly log: Logger;
}

/** Mounted files are replaced by renaming links, which watching a file does not notice; so it is read. */
const LOOK_EVERY_MS = 1_000;

/** Looks at the file each second until it is stopped. */
export class NodesFile {
  readonly #options: NodesFileOptions;
  #lastText: string | null = null;
  #problems: readonly string[] = [];
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: NodesFileOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** What is wrong with the file as it is now; empty when its list is in force. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Reads the file now. */
  async reload(): Promise<void> {
    const { path, readFile, apply, log } = this.#options;
    const text = await readFile(path).catch((error: unknown) => {
      this.#report([`${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`]);
      return null;
    });
    if (text === null || text === this.#lastText) return;
    const isFirst = this.#lastText === null;
    this.#lastText = text;
    const parsed = parseNodesFile(text);
    this.#report(parsed.ok ? apply(parsed.nodes) : parsed.problems);
    if (this.#problems.length === 0 && !isFirst) log.info({ file: path }, 'the node list was changed');
  }

  #report(problems: readonly string[]): void {
    if (problems.join('\n') !== this.#problems.join('\n') && problems.length > 0) {
      this.#options.log.error({ problems }, 'the node list is not valid, the last good one stays in force');
    }
    this.#problems = problems;
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => {
      void this.reload().finally(() => this.#schedule());
    });
  }
}
