/**
 * Requests that start at a constant rate, whatever becomes of those before; each one's latency counts from when it was
 * to start. So a server that stands still is charged for all who wait. (autocannon 9 sends what its rates allow for a
 * second at the beginning of it, each request after the answer to the last one on its connection, and adds to the
 * latencies afterwards what it did not send in time.)
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Connection, type OnAnswer } from './connection.ts';
import { LatencyRecord } from './latency.ts';

export interface OpenLoopRun {
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface OpenLoopReport {
  /** Until the last answer was there. */
  readonly answeredPerSecond: number;
  readonly answered: number;
  /** Of requests, by what was wrong. */
  readonly faults: Readonly<Record<string, number>>;
  readonly latency: LatencyRecord;
  /** How late this process itself began its requests: part of the latencies, and no fault of the server. */
  readonly lateness: LatencyRecord;
}

/** How long answers are waited for after the last request has begun. */
const graceMs = 5_000;
const tickMs = 1;

interface Waiting {
  readonly request: string;
  readonly onAnswer: OnAnswer;
}

/** Connections that stay open between runs. */
export class OpenLoop {
  readonly #connections: readonly Connection[];
  readonly #idle: Connection[];
  /** A set keeps the order in which they came, and gives up its first at no cost. */
  readonly #waiting = new Set<Waiting>();

  /** @param isExpected - of a body; default: status 200 without errors is enough */
  constructor(port: number, connections: number, isExpected?: (body: string) => boolean) {
    this.#connections = Array.from({ length: connections }, () => new Connection(port, isExpected));
    this.#idle = [...this.#connections];
  }

  /** @param nextRequest - the whole text of an HTTP/1.1 request */
  async run(nextRequest: () => string, { rate, seconds }: OpenLoopRun): Promise<OpenLoopReport> {
    const [latency, lateness] = [new LatencyRecord(), new LatencyRecord()];
    const faults: Record<string, number> = {};
    const total = Math.round(rate * seconds);
    let answered = 0;
    const firstMs = performance.now();
    const begin = (number: number) => {
      const startMs = firstMs + (number * 1_000) / rate;
      lateness.record(performance.now() - startMs);
      this.#start({
        request: nextRequest(),
        onAnswer(fault) {
          answered += 1;
          latency.record(performance.now() - startMs);
          if (fault !== null) faults[fault] = (faults[fault] ?? 0) + 1;
        },
      });
    };
    for (let begun = 0; begun < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - firstMs) * rate) / 1_000) + 1);
      while (begun < due) begin(begun++);
      await pause(tickMs);
    }
    const untilMs = performance.now() + graceMs;
    while (answered < total && performance.now() < untilMs) await pause(tickMs);
    const tookSeconds = Math.max(seconds, (performance.now() - firstMs) / 1_000);
    this.#waiting.clear();
    if (answered < total) faults['no answer'] = total - answered;
    return { answeredPerSecond: answered / tookSeconds, answered, faults, latency, lateness };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #start(next: Waiting): void {
    const connection = this.#idle.pop();
    if (connection) this.#send(connection, next);
    else this.#waiting.add(next);
  }

  #send(connection: Connection, { request, onAnswer }: Waiting): void {
    connection.send(request, (fault) => {
      onAnswer(fault);
      const [next] = this.#waiting;
      if (next === undefined) this.#idle.push(connection);
      else {
        this.#waiting.delete(next);
        this.#send(connection, next);
      }
    });
  }
}
