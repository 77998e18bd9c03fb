/** The log: JSON lines through pino. Ids, records, tokens and secrets never reach it. */
import { type Logger, pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** A logger on standard output. `worker`: which of several processes writes. */
export function createLog(level: LogLevel, worker?: number): Logger {
  return pino({
    level,
    base: { service: 'memsession-bridge', ...(worker === undefined ? {} : { worker }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}
