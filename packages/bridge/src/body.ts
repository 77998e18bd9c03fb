/** Reads request bodies, counting while they arrive: each for itself, and all together. */

/** `too_large`: over its own limit. `overloaded`: all bodies together are over theirs. */
export type BodyRefusal = 'too_large' | 'overloaded';

/** Of a body that was refused, so much is still read and thrown away. */
const MOST_DISCARDED_BYTES = 67_108_864;

/** Bodies that are being read or worked on. */
export class Bodies {
  readonly #mostBytes: number;
  #heldBytes = 0;

  /** `mostBytes`: for all bodies together. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
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
    const announced = Number(request.headers.get('content-length') ?? Number.NaN);
    if (announced > mostBytes) return 'too_large';
    const hold = new Hold((bytes) => this.#take(bytes));
    try {
      // The parser of HTTP lets exactly the announced bytes through; without a length only counting helps.
      const body = Number.isInteger(announced)
        ? await readAnnounced(request, announced, hold)
        : await readCounting(request, mostBytes, hold);
      return typeof body === 'string' ? body : await work(body);
    } finally {
      this.#heldBytes -= hold.bytes;
    }
  }

  #take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#mostBytes) return false;
    this.#heldBytes += bytes;
    return true;
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

async function readAnnounced(request: Request, announced: number, hold: Hold): Promise<Buffer | BodyRefusal> {
  if (!hold.add(announced)) return 'overloaded';
  const body = Buffer.from(await request.arrayBuffer());
  return body.length === announced ? body : 'too_large';
}

async function readCounting(request: Request, mostBytes: number, hold: Hold): Promise<Buffer | BodyRefusal> {
  if (request.body === null) return Buffer.alloc(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const { byteLength } = part.value;
    const refusal =
      hold.bytes + byteLength > mostBytes ? 'too_large' : hold.add(byteLength) ? null : 'overloaded';
    if (refusal !== null) {
      void discard(reader);
      return refusal;
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks, hold.bytes);
}

/**
 * Reads on without keeping anything: a connection that is closed while bytes are on their way to it may lose the
 * answer. The server ends what takes longer than half a second.
 */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
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
