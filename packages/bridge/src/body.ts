/** Reads request bodies, counting while they arrive: each for itself, and all together. */

/**
 * `too_large`: over its own limit. `overloaded`: all bodies together are over theirs. `broken_off`: whoever sent it
 * has gone away in the middle.
 */
export type BodyRefusal = 'too_large' | 'overloaded' | 'broken_off';

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
      const reading = Number.isInteger(announced)
        ? readAnnounced(request, announced, hold)
        : readCounting(request, mostBytes, hold);
      // A body that cannot be read to its end is nobody's defect, and nobody is there to be told.
      const body = await reading.catch((): BodyRefusal => 'broken_off');
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
  const chunks: Uint8Array[] = [];
  for await (const chunk of request.body) {
    if (hold.bytes + chunk.byteLength > mostBytes) return 'too_large';
    if (!hold.add(chunk.byteLength)) return 'overloaded';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, hold.bytes);
}
