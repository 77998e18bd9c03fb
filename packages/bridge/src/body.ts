/** Reads request bodies, counting while they arrive: each for itself, and all together. */
import type { Clock } from './node.ts';
import { systemClock } from './system-clock.ts';

/**
 * `too_large`: over its own limit. `overloaded`: all bodies together are over theirs. `broken_off`: whoever sent it
 * has gone away in the middle.
 */
export type BodyRefusal = 'too_large' | 'overloaded' | 'broken_off';

/** Of a body that was refused, so much is still read and thrown away, for so long. */
const MOST_DISCARDED_BYTES = 16_777_216;
const DISCARD_MS = 2_000;

/** Bodies that are being read or worked on. */
export class Bodies {
  readonly #mostBytes: number;
  readonly #clock: Clock;
  #heldBytes = 0;

  /** `mostBytes`: for all bodies together. */
  constructor(mostBytes: number, clock: Clock = systemClock) {
    this.#mostBytes = mostBytes;
    this.#clock = clock;
  }

  /** Bytes of all bodies that are held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Gives the whole body to the work and holds it until that ends, or says why it is not taken. */
  async read<T>(
    request: Request,
    mostBytes: number,
    work: (body: Buffer) => Promise<T>,
  ): Promise<T | BodyRefusal> {
    const hold = new Hold((bytes) => this.#take(bytes));
    let refusal: BodyRefusal;
    try {
      // A body that cannot be read to its end is nobody's defect, and nobody is there to be told.
      const body = await readBody(request, mostBytes, hold).catch((): BodyRefusal => 'broken_off');
      if (typeof body !== 'string') return await work(body);
      refusal = body;
    } finally {
      this.#heldBytes -= hold.bytes;
    }
    if (refusal !== 'broken_off') await this.#discard(request);
    return refusal;
  }

  #take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#mostBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** Many clients see an answer only when they have sent everything; closed before that, they see an error. */
  #discard(request: Request): Promise<void> {
    const { body } = request;
    if (announcedOf(request) > MOST_DISCARDED_BYTES || body === null) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(DISCARD_MS, resolve);
      void readAway(body).then(() => {
        cancel();
        resolve();
      });
    });
  }
}

/** What one body holds of the common budget. */
class Hold {
  bytes = 0;
  readonly #take: (bytes: number) => boolean;

  constructor(take: (bytes: number) => boolean) {
    this.#take = take;
  }

  add(bytes: number): boolean {
    if (!this.#take(bytes)) return false;
    this.bytes += bytes;
    return true;
  }
}

/** What the request says about its length; NaN when it says nothing. */
function announcedOf(request: Request): number {
  return Number(request.headers.get('content-length') ?? Number.NaN);
}

async function readBody(request: Request, mostBytes: number, hold: Hold): Promise<Buffer | BodyRefusal> {
  const announced = announcedOf(request);
  if (announced > mostBytes) return 'too_large';
  if (!Number.isInteger(announced)) return readCounting(request, mostBytes, hold);
  // The parser of HTTP lets exactly the announced bytes through; without a length only counting helps.
  if (!hold.add(announced)) return 'overloaded';
  const body = Buffer.from(await request.arrayBuffer());
  return body.length === announced ? body : 'too_large';
}

async function readCounting(request: Request, mostBytes: number, hold: Hold): Promise<Buffer | BodyRefusal> {
  if (request.body === null) return Buffer.alloc(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const { byteLength } = part.value;
      if (hold.bytes + byteLength > mostBytes) return 'too_large';
      if (!hold.add(byteLength)) return 'overloaded';
      chunks.push(part.value);
    }
    return Buffer.concat(chunks, hold.bytes);
  } finally {
    reader.releaseLock();
  }
}

/** Reads on and keeps nothing. */
async function readAway(body: ReadableStream<Uint8Array>): Promise<void> {
  try {
    const reader = body.getReader();
    for (let rest = MOST_DISCARDED_BYTES; rest > 0;) {
      const part = await reader.read();
      if (part.done) return;
      rest -= part.value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The client has gone, which is as good.
  }
}
