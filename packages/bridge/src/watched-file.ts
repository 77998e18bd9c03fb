/** Keeps something in step with its file; a file that is wrong leaves the last good state in force. */
import type { Logger } from 'pino';
import type { Clock } from './node.ts';

export interface WatchedFileOptions {
  /** What the file holds, for the log, e.g. `node list`. */
  readonly what: string;
  readonly path: string;
  readonly clock: Clock;
  readonly readFile: (path: string) => Promise<string>;
  /** Puts what the text says in force, or returns why it may not be. */
  readonly take: (text: string) => readonly string[];
  readonly log: Logger;
}

/** Mounted files are replaced by renaming links, which watching a file does not notice; so it is read. */
const LOOK_EVERY_MS = 500;

/** Looks at the file twice a second until it is stopped. */
export class WatchedFile {
  readonly #options: WatchedFileOptions;
  #lastText: string | null = null;
  #problems: readonly string[] = [];
  #looks = 0;
  /** The last look that counted. */
  #lastLook = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: WatchedFileOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** What is wrong with the file as it is now; empty when it is in force. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get path(): string {
    return this.#options.path;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Reads the file now. */
  async reload(): Promise<void> {
    const { path, readFile, take, log, what } = this.#options;
    const look = (this.#looks += 1);
    const text = await readFile(path).catch((error: unknown) =>
      error instanceof Error ? error : new Error('unknown error'),
    );
    // One that began later, on SIGHUP, has seen what is newer.
    if (look < this.#lastLook || this.#isStopped) return;
    this.#lastLook = look;
    if (text instanceof Error) return this.#report([`it cannot be read: ${text.message}`]);
    if (text === this.#lastText && this.#problems.length === 0) return;
    const isFirst = this.#lastText === null;
    this.#lastText = text;
    this.#report(take(text));
    if (this.#problems.length === 0 && !isFirst) log.info({ file: path }, `the ${what} was read again`);
  }

  #report(problems: readonly string[]): void {
    const { log, path, what } = this.#options;
    if (problems.join('\n') !== this.#problems.join('\n') && problems.length > 0) {
      log.error({ file: path, problems }, `the ${what} is not valid, the last good one stays in force`);
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
