/** One keep-alive connection of a load generator: raw HTTP/1.1, one request at a time, no more work than it takes. */
import { connect, type Socket } from 'node:net';

/** Called with null for what is ok, or with what was wrong. */
export type OnAnswer = (fault: string | null) => void;

const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('\r\n0\r\n\r\n');
// No text of ours can hold it: a quote inside of a JSON text is escaped.
const errorsKey = Buffer.from('"errors":[');

/** Connects again by itself when the server has closed it. */
export class Connection {
  readonly #port: number;
  readonly #isExpected: ((body: string) => boolean) | undefined;
  #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #onAnswer: OnAnswer | null = null;

  /** @param isExpected - of a body; default: status 200 without errors is enough */
  constructor(port: number, isExpected?: (body: string) => boolean) {
    this.#port = port;
    this.#isExpected = isExpected;
    this.#socket = this.#open();
  }

  /** Only when the answer before is there. */
  send(request: string, onAnswer: OnAnswer): void {
    if (this.#socket.destroyed) this.#socket = this.#open();
    this.#onAnswer = onAnswer;
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#received = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => this.#read(part));
    socket.on('error', () => {});
    socket.on('close', () => this.#answer('connection closed'));
    return socket;
  }

  #read(part: Buffer): void {
    const received = this.#received.length === 0 ? part : Buffer.concat([this.#received, part]);
    const fault = faultOf(received, this.#isExpected);
    if (fault === undefined) {
      this.#received = received;
      return;
    }
    this.#received = Buffer.alloc(0);
    this.#answer(fault);
  }

  #answer(fault: string | null): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = null;
    onAnswer?.(fault);
  }
}

/** Of an answer; undefined: it is not whole yet. */
function faultOf(received: Buffer, isExpected?: (body: string) => boolean): string | null | undefined {
  const end = received.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = received.toString('latin1', 0, end).toLowerCase();
  const bodyStart = end + headEnd.length;
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  const isWhole =
    length === undefined ? received.indexOf(lastChunk, end + 2) >= 0 : received.length >= bodyStart + Number(length);
  if (!isWhole) return undefined;
  const status = head.slice(9, 12);
  if (status !== '200') return `status ${status}`;
  if (received.indexOf(errorsKey, bodyStart) >= 0) return 'errors in the answer';
  if (isExpected === undefined) return null;
  const body = received.subarray(bodyStart);
  return isExpected(String(length === undefined ? joinChunks(body) : body)) ? null : 'another answer';
}

/** The body of an answer in chunks, each after a line with its length. */
function joinChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
