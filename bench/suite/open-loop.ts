/**
 * Requests that start at given rates, whatever becomes of those before; each one's latency counts from when it was to
 * start. So a server that stands still is charged for all who wait. (autocannon 9 sends what its rates allow for a
 * second at the beginning of it, each request after the answer to the last one on its connection, and adds to the
 * latencies afterwards what it did not send in time.)
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Link, LinkedList } from '../../src/linked-list.ts';
import { type Answer, Connection } from './connection.ts';
import { LatencyRecord } from './latency.ts';

export interface Phase {
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface OpenLoopRequest {
  /** The whole text of an HTTP/1.1 request, in Latin-1. */
  readonly text: string;
  onEnd(end: RequestEnd): void;
}

export interface RequestEnd {
  /** null: the connection ended before, or the time was over. */
  readonly answer: Answer | null;
  readonly isTimedOut: boolean;
  /** When it was to start, from the beginning of the run. */
  readonly dueMs: number;
  /** From then on. */
  readonly latencyMs: number;
}

export interface OpenLoopReport {
  /** Until the last request had ended. */
  readonly tookSeconds: number;
  /** How late this process itself began its requests: part of the latencies, and no fault of the server. */
  readonly lateness: LatencyRecord;
}

export interface OpenLoopOptions {
  readonly port: number;
  /** Opened as they are needed, and kept between runs. */
  readonly maxConnections: number;
  /** How long a client waits. */
  readonly timeoutMs: number;
}

const tickMs = 1;

interface Waiting {
  readonly request: OpenLoopRequest;
  readonly dueMs: number;
  readonly startMs: number;
  /** Its places among those without an answer, and without a connection. */
  unanswered: Link<Waiting> | null;
  unsent: Link<Waiting> | null;
  connection: Connection | null;
}

export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #connections: Connection[] = [];
  readonly #idle: Connection[] = [];
  /**
   * In the order in which they were due. No sets: the first of a set is found behind all that were deleted before it, 28 µs
   * where 100,000 wait, by which a load that was behind for a moment never caught up.
   */
  readonly #unanswered = new LinkedList<Waiting>();
  /** Those of them that wait for a connection. */
  readonly #unsent = new LinkedList<Waiting>();

  constructor(options: OpenLoopOptions) {
    this.#options = options;
  }

  /** The phases one after the other without a pause; resolves when all of their requests have ended. */
  async run(phases: readonly Phase[], nextRequest: () => OpenLoopRequest): Promise<OpenLoopReport> {
    const lateness = new LatencyRecord();
    const firstMs = performance.now();
    let phaseMs = 0;
    for (const { rate, seconds } of phases) {
      const total = Math.round(rate * seconds);
      for (let begun = 0; begun < total; ) {
        const elapsedMs = performance.now() - firstMs - phaseMs;
        const due = Math.min(total, Math.floor((elapsedMs * rate) / 1_000) + 1);
        while (begun < due) {
          const dueMs = phaseMs + (begun++ * 1_000) / rate;
          const startMs = firstMs + dueMs;
          lateness.record(performance.now() - startMs);
          this.#start({ request: nextRequest(), dueMs, startMs, unanswered: null, unsent: null, connection: null });
        }
        this.#giveUpLate();
        await pause(tickMs);
      }
      phaseMs += seconds * 1_000;
    }
    while (this.#unanswered.size > 0) {
      this.#giveUpLate();
      await pause(tickMs);
    }
    return { tookSeconds: Math.max(phaseMs, performance.now() - firstMs) / 1_000, lateness };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #start(next: Waiting): void {
    next.unanswered = this.#unanswered.add(next);
    const connection = this.#idle.pop() ?? this.#open();
    if (connection) this.#send(connection, next);
    else next.unsent = this.#unsent.add(next);
  }

  /** null: there are as many as there may be. */
  #open(): Connection | null {
    if (this.#connections.length >= this.#options.maxConnections) return null;
    const connection = new Connection(this.#options.port);
    this.#connections.push(connection);
    return connection;
  }

  #send(connection: Connection, sent: Waiting): void {
    sent.connection = connection;
    connection.send(sent.request.text, (answer) => {
      this.#end(sent, answer, false);
      const next = this.#unsent.first;
      if (next === null) this.#idle.push(connection);
      else {
        this.#unsent.remove(next);
        this.#send(connection, next.value);
      }
    });
  }

  #end(ended: Waiting, answer: Answer | null, isTimedOut: boolean): void {
    // It was given up before.
    if (ended.unanswered!.isRemoved) return;
    this.#unanswered.remove(ended.unanswered!);
    if (ended.unsent) this.#unsent.remove(ended.unsent);
    const { request, dueMs, startMs } = ended;
    request.onEnd({ answer, isTimedOut, dueMs, latencyMs: performance.now() - startMs });
  }

  #giveUpLate(): void {
    const untilMs = performance.now() - this.#options.timeoutMs;
    for (let late = this.#unanswered.first?.value; late && late.startMs <= untilMs; ) {
      this.#end(late, null, true);
      late.connection?.abandon();
      late = this.#unanswered.first?.value;
    }
  }
}
