/** What is measured, and how rounds become one number: ratios of the same round, their median and spread. */

/** One contestant's result in one round. */
export interface Sample {
  /** In the unit of its line. */
  readonly value: number;
  /** Processor time of the measured process for one request, microseconds; null where it cannot be told. */
  readonly cpuMicros: number | null;
}

export interface Contestant {
  readonly name: string;
  /** Runs for a short while and says how it went. */
  readonly run: () => Promise<Sample>;
}

/** Samples by contestant, one for each round, in the order of the rounds. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

/**
 * Lets all contestants run once in each round, every other round in reverse, so that what else happens on the
 * machine troubles all alike. Rounds before the first warm up and are not counted.
 */
export async function playRounds(
  contestants: readonly Contestant[],
  rounds: number,
  { warmUps = 1 }: { readonly warmUps?: number } = {},
): Promise<Samples> {
  const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const { name, run } of order) {
      const sample = await run();
      if (round > 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}

/** The samples of one contestant. */
export function samplesOf(samples: Samples, name: string): readonly Sample[] {
  const found = samples.get(name);
  if (found === undefined) throw new Error(`Nobody is called ${name}.`);
  return found;
}

/** What a ratio, or a number by itself, has to be. */
export interface Goal {
  readonly text: string;
  readonly isMet: (value: number) => boolean;
}

export function atLeast(least: number): Goal {
  return { text: `≥ ${least}`, isMet: (value) => value >= least };
}

export function atMost(most: number, unit = ''): Goal {
  return { text: `≤ ${most}${unit}`, isMet: (value) => value <= most };
}

/** Lowest, middle and highest of some numbers. */
export interface Spread {
  readonly lowest: number;
  readonly median: number;
  readonly highest: number;
}

export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  return { lowest: quantile(sorted, 0), median: quantile(sorted, 0.5), highest: quantile(sorted, 1) };
}

/** The number below which this share of the sorted numbers is; NaN when there are none. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}
