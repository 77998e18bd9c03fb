/** The parts of memjs that the bridge uses; the package has no types of its own. */
declare module 'memjs' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  export interface Response {
    readonly header: {
      readonly opcode: number;
      readonly status: number;
      readonly opaque: number;
      /** Eight bytes. */
      readonly cas: Buffer;
    };
    readonly key: Buffer;
    readonly extras: Buffer;
    readonly val: Buffer;
  }

  export interface ServerOptions {
    /** Seconds. */
    timeout?: number;
    /** Seconds; 0 for none. */
    conntimeout?: number;
    keepAlive?: boolean;
    /** Seconds. */
    keepAliveDelay?: number;
  }

  export class Server extends EventEmitter {
    constructor(host: string, port: number, username?: string, password?: string, options?: ServerOptions);
    username: string | undefined;
    password: string | undefined;
    timeoutSet: boolean;
    responseBuffer: Buffer;
    _socket: Socket | undefined;
    /** Connects and authenticates when there is no socket yet; calls `go` when requests may be written. */
    sock(isSasl: boolean, go: (socket: Socket) => void): void;
    saslAuth(): void;
    appendToBuffer(chunk: Buffer): Buffer;
    responseHandler(chunk: Buffer): void;
    respond(response: Response): void;
    error(error: unknown): void;
  }
}
