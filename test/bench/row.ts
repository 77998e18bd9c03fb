/** A row of the benchmark: it starts what it needs, measures, and ends what it started. */
import type { Line } from './line.ts';

export interface MeasureOptions {
  readonly rounds: number;
}

export interface Row {
  /** For the command line. */
  readonly name: string;
  readonly title: string;
  /** Rejects with a NotHereError when something that it needs cannot be had. */
  readonly measure: (options: MeasureOptions) => Promise<readonly Line[]>;
}
