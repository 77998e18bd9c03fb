/** Writes each warning about a node into the log when it comes, not each time it is seen. */
import type { Logger } from 'pino';
import type { Warning } from './overview.ts';

/** Remembers what stands in the log. */
export class WarningLog {
  readonly #log: Logger;
  #known: ReadonlySet<string> = new Set();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Takes all warnings that hold now. One that goes and comes back is written again. */
  report(warnings: readonly Warning[]): void {
    const now = new Set<string>();
    for (const { node, code, text } of warnings) {
      // Those about files are written when the file is read.
      if (node === null) continue;
      const key = `${node} ${code}`;
      now.add(key);
      if (!this.#known.has(key)) this.#log.warn({ node, code }, `node ${node}: ${text}`);
    }
    this.#known = now;
  }
}
