/** What the tests use beside it, to show what memjs does by itself; the rest is declared where the bridge uses it. */
declare module 'memjs' {
  export interface ClientOptions {
    retries?: number;
    retry_delay?: number;
    failover?: boolean;
    logger?: { log(...texts: unknown[]): void };
  }

  export interface Server {
    readonly host: string;
    readonly port: number;
    onResponse(opaque: number, respond: (response: Response) => void): void;
  }

  export class Client {
    static create(servers: string, options?: ClientOptions): Client;
    constructor(servers: Server[], options?: ClientOptions);
    readonly servers: Server[];
    seq: number;
    get(key: string): Promise<{ value: Buffer | null; flags: Buffer | null }>;
    set(key: string, value: string | Buffer, options?: { expires?: number }): Promise<boolean>;
    prepend(key: string, value: string | Buffer): Promise<boolean>;
    getServer(key: string): number;
    quit(): void;
    close(): void;
  }
}
