/** What the store tells about its work, for metrics and logs. Never an id, a record or a ref. */

/**
 * - `relocation`: a session's home is another node than its ref said.
 * - `conflict`: a save met a newer record and was refused.
 * - `fork`: two records with one version met; bridges disagreed about a node.
 * - `repair`: a copy that was missing, older or in doubt was written again.
 * - `degraded`: a save was acknowledged by fewer copies than configured.
 * - `widened`: a read had to ask more than the anchor.
 * - `passed_over`: a write went on without a node that failed.
 * - `unknown`: a request ended with "nobody can know".
 */
export type StoreEvent =
  'relocation' | 'conflict' | 'fork' | 'repair' | 'degraded' | 'widened' | 'passed_over' | 'unknown';

export interface StoreObserver {
  count(event: StoreEvent): void;
  /**
   * A request was answered with what this node holds. While it stays above 0 for a node that is drained, there
   * are sessions that were found nowhere else first.
   */
  served?(nodeIndex: number): void;
}
