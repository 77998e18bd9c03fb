/**
 * One connection to a node: which requests wait on it, and until when. It is given up at the first doubt,
 * with all that waits, and never used again.
 */
import { FIELDS } from './binary-frames.ts';
import { DeadlineAlarm } from './deadline-alarm.ts';
import { prolong } from './memjs-exchange.ts';
import type { Exchange } from './memjs-exchange.ts';
import { openMemjsSocket } from './memjs-socket.ts';
import type { Answer, MemjsSocket, MemjsSocketOptions } from './memjs-socket.ts';
import type { Clock, NodeErrorKind } from './node.ts';

export interface ConnectionOptions extends MemjsSocketOptions {
  readonly clock: Clock;
  /** Longest time without an answer before the connection is given up, also while connecting. */
  readonly timeoutMs: number;
  /** The opaque number of the first request; the numbers start over before 2^31. */
  readonly firstOpaque?: number;
}

export interface ConnectionEvents {
  /** Once, when requests can be sent without waiting. */
  onReady(): void;
  /** Once, before the requests that wait learn of it. */
  onEnd(end: ConnectionEnd): void;
}

/** How a connection ended. */
export interface ConnectionEnd {
  readonly wasReady: boolean;
  /** Whether it was ready and the node or the network broke it. */
  readonly isLoss: boolean;
  readonly cause: unknown;
  /** Requests of which nothing was sent and that have time for another connection. */
  readonly orphans: readonly Exchange[];
}

/** memjs stops working when its counter reaches 2^31. */
const LAST_OPAQUE = 0x7fffffff;
/** Less time than this is not worth another connection, milliseconds. */
const LEAST_LEFT_MS = 20;
/** A timer that rings later than this tells that our own event loop stood still, milliseconds. */
const LATE_MS = 20;

export class MemjsConnection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #socket: MemjsSocket;
  /** Sent, by opaque number, in the order of sending. */
  readonly #sent: Map<number, Exchange> = new Map();
  #unsent: Exchange[] = [];
  #state: 'opening' | 'ready' | 'dead' = 'opening';
  #opaque: number;
  #hasFlushPlanned = false;
  #openBy: number;
  #hasGrace = false;
  readonly #alarm: DeadlineAlarm;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#opaque = (options.firstOpaque ?? 1) - 1;
    this.#openBy = options.clock.now() + options.timeoutMs;
    this.#alarm = new DeadlineAlarm(options.clock, (lateMs) => this.#sweep(lateMs));
    this.#socket = openMemjsSocket(options, {
      onOpen: () => this.#ready(),
      onAnswer: (answer) => this.#answered(answer),
      onEnd: (kind, cause) => this.#giveUp(kind, { cause, isLoss: kind === 'closed' }),
    });
    this.#alarm.ringAt(this.#openBy);
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Requests that wait here. */
  get load(): number {
    return this.#sent.size + this.#unsent.length;
  }

  /** Sends with all others of this turn of the event loop; while connecting, as soon as it is connected. */
  send(exchange: Exchange): void {
    this.#unsent.push(exchange);
    if (this.#state === 'opening') {
      const now = this.#options.clock.now();
      if (exchange.expiresAt === 0) exchange.expiresAt = now + exchange.waitMs;
      this.#alarm.ringAt(exchange.expiresAt, now);
    } else if (!this.#hasFlushPlanned) {
      this.#hasFlushPlanned = true;
      setImmediate(() => this.#flush());
    }
  }

  /** Ends the connection for a reason of our own. */
  drop(kind: NodeErrorKind): void {
    this.#giveUp(kind, { isLoss: false });
  }

  #ready(): void {
    this.#state = 'ready';
    this.#flush();
    this.#events.onReady();
  }

  #flush(): void {
    this.#hasFlushPlanned = false;
    if (this.#state === 'dead') return;
    const now = this.#options.clock.now();
    const frames: Buffer[] = [];
    for (const exchange of this.#unsent) {
      // The wait is counted from here where the connection was there; the turn that led here is our own time.
      if (exchange.expiresAt === 0) exchange.expiresAt = now + exchange.waitMs;
      this.#alarm.ringAt(exchange.expiresAt, now);
      const opaque = this.#nextOpaque();
      exchange.frame.writeUInt32BE(opaque, FIELDS.opaque);
      this.#sent.set(opaque, exchange);
      frames.push(exchange.frame);
    }
    this.#unsent = [];
    this.#socket.write(frames);
  }

  #nextOpaque(): number {
    this.#opaque = this.#opaque >= LAST_OPAQUE ? 1 : this.#opaque + 1;
    return this.#opaque;
  }

  #answered(answer: Answer): void {
    const exchange = this.#sent.get(answer.header.opaque);
    // An answer to nothing, or to something else, means that answers can no longer be told apart.
    if (exchange === undefined || exchange.opcode !== answer.header.opcode) {
      this.#giveUp('protocol', { cause: new Error('an answer that belongs to no request'), isLoss: false });
      return;
    }
    const outcome = exchange.accept(answer);
    if (outcome === 'done') this.#sent.delete(answer.header.opaque);
    if (outcome !== 'broken') return;
    const cause = new Error('an answer that memcached would not give');
    this.#giveUp('protocol', { trigger: exchange, cause, isLoss: false });
  }

  /** Ends the waits that are over, and the connection when the node has been silent for too long. */
  #sweep(lateMs: number): void {
    if (this.#state === 'dead') return;
    const now = this.#options.clock.now();
    const graceMs = lateMs > LATE_MS ? Math.min(lateMs, this.#options.timeoutMs / 2) : 0;
    const next = this.#state === 'opening' ? this.#sweepOpening(now, graceMs) : this.#sweepSent(now, graceMs);
    if (next < Number.POSITIVE_INFINITY) this.#alarm.ringAt(next, now);
  }

  /** When to look again. While connecting nothing was sent, so a single wait can end without harm. */
  #sweepOpening(now: number, graceMs: number): number {
    if (now >= this.#openBy) {
      if (graceMs === 0 || this.#hasGrace) {
        this.#giveUp('timeout', { isLoss: false });
        return Number.POSITIVE_INFINITY;
      }
      this.#hasGrace = true;
      this.#openBy = now + graceMs;
    }
    for (const exchange of this.#unsent) {
      if (now >= exchange.expiresAt && !prolong(exchange, now, graceMs)) exchange.fail('timeout');
    }
    this.#unsent = this.#unsent.filter((exchange) => exchange.isWaiting);
    return this.#unsent.reduce((next, exchange) => Math.min(next, exchange.expiresAt), this.#openBy);
  }

  /**
   * When to look again. A read whose caller had less time than the node is only forgotten; whatever else
   * gets no answer in time ends the connection, so that no more of it is delivered.
   */
  #sweepSent(now: number, graceMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const exchange of this.#sent.values()) {
      if (now >= exchange.expiresAt && !prolong(exchange, now, graceMs)) {
        const spareMs = this.#options.timeoutMs - exchange.waitMs;
        if (!exchange.isWaiting || exchange.isMutation || spareMs <= 0) {
          this.#giveUp('timeout', { isLoss: false, trigger: exchange });
          return Number.POSITIVE_INFINITY;
        }
        exchange.fail('timeout');
        exchange.expiresAt += spareMs;
      }
      next = Math.min(next, exchange.expiresAt);
    }
    return next;
  }

  /**
   * Of all that waits one request carries the reason and the others are `closed`: a connection that dies is
   * one piece of evidence, however many requests were on it. Where nothing was sent all carry the reason.
   */
  #giveUp(kind: NodeErrorKind, { trigger, cause, isLoss }: GivingUp): void {
    if (this.#state === 'dead') return;
    const wasReady = this.#state === 'ready';
    this.#state = 'dead';
    this.#alarm.cancel();
    this.#socket.destroy();
    const orphans = wasReady || kind === 'timeout' ? this.#takeOrphans() : [];
    this.#events.onEnd({ wasReady, isLoss, cause, orphans });
    const waiting = [...this.#sent.values(), ...this.#unsent].filter((exchange) => exchange.isWaiting);
    this.#sent.clear();
    this.#unsent = [];
    const first = trigger ?? waiting[0];
    const othersKind = wasReady || kind === 'timeout' ? 'closed' : kind;
    for (const exchange of waiting) exchange.fail(exchange === first ? kind : othersKind, cause);
  }

  #takeOrphans(): Exchange[] {
    const now = this.#options.clock.now();
    const orphans: Exchange[] = [];
    const lost: Exchange[] = [];
    for (const exchange of this.#unsent) {
      if (exchange.expiresAt === 0) exchange.expiresAt = now + exchange.waitMs;
      (exchange.expiresAt - now >= LEAST_LEFT_MS ? orphans : lost).push(exchange);
    }
    this.#unsent = lost;
    return orphans;
  }
}

interface GivingUp {
  /** The request that shows the fault, where one does. */
  readonly trigger?: Exchange;
  readonly cause?: unknown;
  readonly isLoss: boolean;
}
