/** Holds an answer back before its first byte until the session is saved, because its cookies stand in the head. */
import { STATUS_CODES, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { SessionError } from './errors.ts';

export interface AnswerOptions {
  /** Whether there is nothing to save, so that nothing need be held back. */
  readonly isIdle: () => boolean;
  readonly save: () => Promise<void>;
  /** Is told why the answer became an error, and what could not be saved as it should after the head had left. */
  readonly onError: (error: unknown) => void;
}

/** Everything that makes Node write the head, or comes after it. */
const METHODS = ['writeHead', 'flushHeaders', 'write', 'end'] as const;
type Method = (typeof METHODS)[number];
type Arguments = readonly unknown[];

interface Call {
  readonly method: Method;
  readonly args: Arguments;
}

/**
 * - `open`: nothing has left.
 * - `holding`: the session is being saved; calls wait.
 * - `flowing`: the head has left, the end has not.
 * - `done`: nothing is held back any more.
 * - `failed`: an error was answered; what the handler still has to say is dropped.
 */
type Phase = 'open' | 'holding' | 'flowing' | 'done' | 'failed';

export class HeldAnswer {
  readonly #response: ServerResponse;
  readonly #options: AnswerOptions;
  readonly #originals = new Map<Method, (...args: Arguments) => unknown>();
  /** Headers that others had set before the handler. */
  readonly #headersBefore: OutgoingHttpHeaders;
  #phase: Phase;
  #calls: Call[] = [];

  /** From now on the answer's methods go through here. */
  constructor(response: ServerResponse, options: AnswerOptions) {
    this.#response = response;
    this.#options = options;
    this.#headersBefore = { ...response.getHeaders() };
    this.#phase = response.headersSent ? 'flowing' : 'open';
    for (const method of METHODS) {
      // Overloads only differ in their arguments, which are passed on as they come.
      this.#originals.set(method, Reflect.get(response, method) as (...args: Arguments) => unknown);
      Reflect.set(response, method, (...args: Arguments) => this.#call({ method, args }));
    }
  }

  #call(call: Call): unknown {
    if (this.#phase === 'failed') return this.#drop(call);
    if (this.#phase !== 'holding') {
      const isLast = call.method === 'end';
      const isHeld =
        (this.#phase === 'open' || (this.#phase === 'flowing' && isLast)) && !this.#options.isIdle();
      if (!isHeld) {
        this.#phase = isLast ? 'done' : this.#phase === 'open' ? 'flowing' : this.#phase;
        return this.#pass(call);
      }
      this.#hold();
    }
    this.#calls.push(call);
    return this.#resultOf(call, { hasRoom: false });
  }

  #hold(): void {
    const isHeadOut = this.#phase === 'flowing';
    this.#phase = 'holding';
    this.#pretend();
    const release = (): void => this.#release();
    this.#options.save().then(release, (error: unknown) => {
      if (!isHeadOut) return this.#answerError(error);
      this.#options.onError(error);
      this.#release();
    });
  }

  /** The handler sees what it would see without us. */
  #pretend(): void {
    const isEnded = (): boolean => this.#calls.some(({ method }) => method === 'end');
    Object.defineProperty(this.#response, 'headersSent', { configurable: true, get: () => true });
    Object.defineProperty(this.#response, 'writableEnded', { configurable: true, get: isEnded });
  }

  #stopPretending(): Call[] {
    Reflect.deleteProperty(this.#response, 'headersSent');
    Reflect.deleteProperty(this.#response, 'writableEnded');
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  #release(): void {
    const calls = this.#stopPretending();
    this.#phase = calls.some(({ method }) => method === 'end') ? 'done' : 'flowing';
    let isWaiting = false;
    try {
      for (const call of calls) {
        const result = this.#pass(call);
        if (call.method === 'write') isWaiting = result !== false;
      }
    } catch (error) {
      // A wrong status or chunk: Node says so only now, when the handler can no longer catch it.
      return this.#answerError(error);
    }
    // The last write said that there was no room. Where there is none indeed, Node will say when there is.
    if (isWaiting && this.#phase === 'flowing') this.#response.emit('drain');
  }

  /** A plain error in place of the handler's answer; where that has begun already, it is cut off. */
  #answerError(error: unknown): void {
    const calls = this.#stopPretending();
    const response = this.#response;
    if (response.headersSent) response.destroy();
    else {
      const status = error instanceof SessionError && error.retryable ? 503 : 500;
      const text = STATUS_CODES[status] ?? '';
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      for (const [name, value] of Object.entries(this.#headersBefore)) {
        if (value !== undefined) response.setHeader(name, value);
      }
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      response.setHeader('cache-control', 'no-store');
      response.statusCode = status;
      response.statusMessage = text;
      this.#phase = 'done';
      this.#pass({ method: 'end', args: [text] });
    }
    this.#phase = 'failed';
    for (const call of calls) this.#drop(call);
    response.emit('drain');
    this.#options.onError(error);
  }

  #pass({ method, args }: Call): unknown {
    const original = this.#originals.get(method);
    return original === undefined ? undefined : Reflect.apply(original, this.#response, args);
  }

  /** Nobody may wait for what will not be written. */
  #drop(call: Call): unknown {
    const callback = call.args.at(-1);
    // Node's callbacks take at most an error.
    if (typeof callback === 'function') queueMicrotask(callback as () => void);
    return this.#resultOf(call, { hasRoom: true });
  }

  #resultOf({ method }: Call, { hasRoom }: { readonly hasRoom: boolean }): unknown {
    if (method === 'write') return hasRoom;
    return method === 'flushHeaders' ? undefined : this.#response;
  }
}
