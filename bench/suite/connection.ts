/** One keep-alive connection of a load generator: raw HTTP/1.1, one request at a time, no more work than it takes. */
import { connect, type Socket } from 'node:net';

/** A whole answer, decoded only as far as somebody asks. */
export interface Answer {
  readonly status: number;
  /** Status line and headers, in lower case. */
  readonly head: string;
  /** Whether the body holds these bytes. */
  holds(bytes: Buffer): boolean;
  body(): string;
}

/** null: the connection ended before the answer was whole. */
export type OnAnswer = (answer: Answer | null) => void;

const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('\r\n0\r\n\r\n');
/** The server closes what was idle for 65 s; what is sent just then would be lost. */
const idleLimitMs = 50_000;

/** Connects again by itself when the server has closed it. */
export class Connection {
  readonly #port: number;
  #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #onAnswer: OnAnswer | null = null;
  #usedAtMs = performance.now();

  constructor(port: number) {
    this.#port = port;
    this.#socket = this.#open();
  }

  /** Only when the answer before is there. */
  send(request: string, onAnswer: OnAnswer): void {
    if (performance.now() - this.#usedAtMs > idleLimitMs) this.#socket.destroy();
    if (this.#socket.destroyed) this.#socket = this.#open();
    this.#onAnswer = onAnswer;
    this.#socket.write(request, 'latin1');
  }

  /** Gives up the answer that is waited for: it is null at once. */
  abandon(): void {
    this.#socket.destroy();
    this.#answer(null);
  }

  close(): void {
    this.#socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#received = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => this.#read(part));
    socket.on('error', () => {});
    socket.on('close', () => {
      // Of an earlier one nothing is waited for.
      if (socket === this.#socket) this.#answer(null);
    });
    return socket;
  }

  #read(part: Buffer): void {
    const received = this.#received.length === 0 ? part : Buffer.concat([this.#received, part]);
    const answer = readAnswer(received);
    this.#received = answer ? Buffer.alloc(0) : received;
    if (answer) this.#answer(answer);
  }

  #answer(answer: Answer | null): void {
    this.#usedAtMs = performance.now();
    const onAnswer = this.#onAnswer;
    this.#onAnswer = null;
    onAnswer?.(answer);
  }
}

/** null: it is not whole yet. */
export function readAnswer(received: Buffer): Answer | null {
  const end = received.indexOf(headEnd);
  if (end < 0) return null;
  const head = received.toString('latin1', 0, end).toLowerCase();
  const bodyStart = end + headEnd.length;
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  const isChunked = length === undefined;
  const isWhole = isChunked ? received.indexOf(lastChunk, end + 2) >= 0 : received.length >= bodyStart + Number(length);
  if (!isWhole) return null;
  return {
    status: Number(head.slice(9, 12)),
    head,
    holds: (bytes) => received.indexOf(bytes, bodyStart) >= 0,
    body: () => (isChunked ? joinChunks(received, bodyStart) : received.subarray(bodyStart)).toString(),
  };
}

function joinChunks(received: Buffer, bodyStart: number): Buffer {
  const chunks: Buffer[] = [];
  for (let at = bodyStart; ; ) {
    const lineEnd = received.indexOf('\r\n', at);
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(chunks);
    chunks.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
