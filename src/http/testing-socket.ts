import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection as bytes, for what fetch cannot or will not send. */
export interface RawConnection {
  socket: Socket;
  /** Everything received so far. */
  text(): string;
  /** Resolves when the other end has closed, or fails when it has not in time. */
  closed(timeoutMs?: number): Promise<string>;
  /** Resolves when `pattern` has been received. */
  received(pattern: RegExp, timeoutMs?: number): Promise<string>;
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let failure: Error | null = null;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', (error) => {
    failure = error;
  });
  await once(socket, 'connect');
  const until = async (isDone: () => boolean, what: string, timeoutMs: number) => {
    const startedAt = performance.now();
    while (!isDone()) {
      if (performance.now() - startedAt > timeoutMs) throw new Error(`not ${what} after ${timeoutMs} ms: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return text;
  };
  return {
    socket,
    text: () => text,
    closed: (timeoutMs = 5_000) => until(() => socket.closed || failure !== null, 'closed', timeoutMs),
    received: (pattern, timeoutMs = 5_000) => until(() => pattern.test(text), `received ${pattern}`, timeoutMs),
  };
}

/** Sends bytes, and resolves with what came back until the other end closed. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const raw = await openRaw(port);
  raw.socket.write(bytes);
  return raw.closed();
}

/** The bytes of a GraphQL request. */
export function rawPost(body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: 'localhost',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /graphql HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
