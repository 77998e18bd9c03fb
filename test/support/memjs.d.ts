/** The parts of memjs that the tests use to show what it does by itself. */
declare module 'memjs' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  export interface Response {
    readonly header: {
      readonly opcode: number;
      readonly status: number;
      readonly opaque: number;
      readonly cas: Buffer;
    };
    readonly key: Buffer;
    readonly extras: Buffer;
    readonly val: Buffer;
  }

  export interface ServerOptions {
    timeout?: number;
    conntimeout?: number;
  }

  export interface ClientOptions {
    retries?: number;
    retry_delay?: number;
    failover?: boolean;
    logger?: { log(...texts: unknown[]): void };
  }

  export class Server extends EventEmitter {
    constructor(host: string, port: number, username?: string, password?: string, options?: ServerOptions);
    readonly host: string;
    readonly port: number;
    responseBuffer: Buffer;
    _socket: Socket | undefined;
    onResponse(opaque: number, respond: (response: Response) => void): void;
    responseHandler(chunk: Buffer): void;
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
