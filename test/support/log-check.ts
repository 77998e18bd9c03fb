/** Finds in logs, metrics and other output what must never be in it. */
import { Writable } from 'node:stream';

/** What a session id, a ref, a token and a record look like. */
const SHAPES: readonly (readonly [string, RegExp])[] = [
  ['a session id', /(?<![0-9A-Za-z])[0-9A-F]{32}(?![0-9A-Za-z])/],
  ['a token or record', /eyJ[\w-]{8,}/],
  ['an authorization header', /bearer/i],
];

/** What a text tells that it must not, in words; `secrets`: beside everything that looks like one. */
export function findLeaks(text: string, secrets: readonly string[]): string[] {
  const shapes = SHAPES.flatMap(([what, shape]) => (shape.test(text) ? [`${what}: ${text}`] : []));
  const known = secrets.filter((secret) => text.includes(secret));
  return [...shapes, ...known.map((secret) => `a secret: ${text.replaceAll(secret, '…')}`)];
}

/** Collects what is written to it and checks every line. */
export class LogCheck extends Writable {
  readonly #secrets: readonly string[];
  readonly #findings: string[] = [];
  #rest = '';
  #lines = 0;

  /** `secrets`: texts that must not occur, beside everything that looks like one. */
  constructor(secrets: readonly string[]) {
    super({ decodeStrings: false });
    this.#secrets = secrets;
  }

  /** Lines seen so far. */
  get lines(): number {
    return this.#lines;
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    const lines = (this.#rest + String(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#check(line);
    done();
  }

  /** Throws when something was found. */
  assertClean(): void {
    if (this.#rest !== '') this.#check(this.#rest);
    if (this.#findings.length > 0) throw new Error(`The log tells too much:\n${this.#findings.join('\n')}`);
  }

  #check(line: string): void {
    this.#lines += 1;
    this.#findings.push(...findLeaks(line, this.#secrets));
  }
}
