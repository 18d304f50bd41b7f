import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { RowReader, type RowTarget } from './row-decoder.ts';

export const connectTimeoutMs = 3_000;
const readBytes = 64 * 1024;

/** Where the driver wants to connect: the hosts in their order. */
export interface SocketAddress {
  path: string | false | undefined;
  host: string[];
  port: number[];
  ssl: unknown;
}

/** The sockets of one connection, opened here so that a dead one can be destroyed and rows can be taken out of what comes. */
export class Sockets {
  readonly #target: () => RowTarget | null;
  readonly #open = new Set<Socket>();
  #isDestroyed = false;
  #isTls: boolean | null = null;

  /** @param target where the rows go that come now; null: the driver reads them, as it reads all that comes by TLS */
  constructor(target: () => RowTarget | null) {
    this.#target = target;
  }

  /** Whether rows are taken out of what comes. */
  get areRead(): boolean {
    return this.#isTls === false;
  }

  /** Whether the driver speaks TLS over them; null: none has been asked for. */
  get isTls(): boolean | null {
    return this.#isTls;
  }

  /** The first host that answers, for the driver. */
  async open({ path, host, port, ssl }: SocketAddress): Promise<Socket> {
    // The driver puts TLS over the socket by itself: only it sees what comes.
    this.#isTls = Boolean(ssl);
    let failure: unknown;
    for (const [index, name] of host.entries()) {
      if (this.#isDestroyed) break;
      try {
        const socket = await this.#connect(path ? { path } : { host: name, port: port[index]! });
        // The driver takes the name for the server's certificate from here.
        return Object.assign(socket, { host: name });
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? givenUp();
  }

  destroy(): void {
    this.#isDestroyed = true;
    for (const socket of this.#open) socket.destroy();
  }

  #connect(address: { path: string } | { host: string; port: number }): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket: Socket = connect({
        ...address,
        noDelay: true,
        ...(this.areRead && this.#readingOf(() => socket)),
      });
      this.#open.add(socket);
      const fail = (error: Error) => {
        socket.destroy();
        reject(error);
      };
      const limit = setTimeout(() => {
        fail(Object.assign(new Error(`no connection within ${connectTimeoutMs} ms`), { code: 'CONNECT_TIMEOUT' }));
      }, connectTimeoutMs);
      socket.once('error', fail);
      socket.once('close', () => {
        clearTimeout(limit);
        this.#open.delete(socket);
        reject(givenUp());
      });
      socket.once('connect', () => {
        clearTimeout(limit);
        socket.off('error', fail);
        resolve(socket);
      });
    });
  }

  /**
   * Reads into one buffer for the socket's life; what is not rows reaches the driver as any socket's data do. It keeps
   * none of it over a read (but for copies to the client, which nobody starts here).
   */
  #readingOf(socket: () => Socket): Pick<NetConnectOpts, 'onread'> {
    const reader = new RowReader(this.#target, (messages) => socket().emit('data', messages));
    const callback = (bytes: number, buffer: Uint8Array) => {
      try {
        reader.read((buffer as Buffer).subarray(0, bytes));
      } catch (error) {
        // What comes next could not be told from the rest of this.
        socket().destroy(error as Error);
      }
      return true;
    };
    return { onread: { buffer: Buffer.allocUnsafeSlow(readBytes), callback } };
  }
}

/** Before anything was sent. */
function givenUp(): Error {
  return Object.assign(new Error('the connection was given up'), { code: 'CONNECTION_DESTROYED' });
}
