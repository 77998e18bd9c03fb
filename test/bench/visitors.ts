/** Visitors with cookie jars, who go from instance to instance. */
import { Agent, type IncomingMessage, request as send } from 'node:http';

export interface VisitPlan {
  /** Visited in turn. */
  readonly urls: readonly string[];
  readonly visitors: number;
  /** Every so many requests of a visitor is a write; 0: only the first. */
  readonly writeEvery: number;
  readonly forMs: number;
}

/** How many requests were answered, and how fast. */
export interface Visited {
  readonly requests: number;
  readonly perSecond: number;
}

/** Visitors with a session each, which they have got before. */
export class Visitors {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #visitors: Visitor[];
  readonly #plan: VisitPlan;

  constructor(plan: VisitPlan) {
    this.#plan = plan;
    this.#visitors = Array.from({ length: plan.visitors }, () => new Visitor(this.#agent, plan));
  }

  /** Each visitor writes once. */
  async signIn(): Promise<void> {
    for (const visitor of this.#visitors) await visitor.visit('POST');
  }

  /** All visit at once, each waiting for its answer. */
  async visit(): Promise<Visited> {
    const startedAt = performance.now();
    const endsAt = startedAt + this.#plan.forMs;
    const counts = await Promise.all(this.#visitors.map((visitor) => visitor.visitUntil(endsAt)));
    const requests = counts.reduce((sum, count) => sum + count, 0);
    return { requests, perSecond: (requests * 1_000) / (performance.now() - startedAt) };
  }

  /** The cookies of the first visitor, as a header. */
  get cookie(): string {
    return this.#visitors[0]?.cookie ?? '';
  }

  close(): void {
    this.#agent.destroy();
  }
}

class Visitor {
  readonly #agent: Agent;
  readonly #plan: VisitPlan;
  readonly #cookies = new Map<string, string>();
  #count = 0;
  #written = 0;

  constructor(agent: Agent, plan: VisitPlan) {
    this.#agent = agent;
    this.#plan = plan;
  }

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async visitUntil(endsAt: number): Promise<number> {
    const before = this.#count;
    const { writeEvery } = this.#plan;
    while (performance.now() < endsAt) {
      await this.visit(writeEvery > 0 && this.#count % writeEvery === 0 ? 'POST' : 'GET');
    }
    return this.#count - before;
  }

  /** Fails when the answer does not show what this visitor has written. */
  async visit(method: 'GET' | 'POST'): Promise<void> {
    const { urls } = this.#plan;
    const url = urls[this.#count % urls.length] ?? '';
    this.#count += 1;
    if (method === 'POST') this.#written += 1;
    const { status, body, cookies } = await ask(url, { method, cookie: this.cookie, agent: this.#agent });
    for (const line of cookies) this.#take(line);
    const views: unknown = status === 200 ? Reflect.get(Object(JSON.parse(body)), 'views') : null;
    if (views !== this.#written)
      throw new Error(`${method} ${url} answered ${status}: ${body.slice(0, 200)}`);
  }

  #take(line: string): void {
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

interface Asked {
  readonly status: number;
  readonly body: string;
  readonly cookies: readonly string[];
}

function ask(
  url: string,
  { method, cookie, agent }: { method: string; cookie: string; agent: Agent },
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const headers = cookie === '' ? {} : { cookie };
    const sent = send(url, { method, headers, agent }, (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const cookies = response.headers['set-cookie'] ?? [];
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), cookies });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
