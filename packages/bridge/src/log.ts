/** The log: JSON lines through pino. Ids, records, tokens and secrets never reach it. */
import { type Logger, pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** A logger on standard output. */
export function createLog(level: LogLevel): Logger {
  return pino({ level, base: { service: 'memsession-bridge' }, timestamp: pino.stdTimeFunctions.isoTime });
}
