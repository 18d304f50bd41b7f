/**
 * The load of the cached mix, a process of its own: requests start at a constant rate, whatever becomes of those before,
 * and each one's latency counts from when it was to start. So a server that stands still is charged for all who wait.
 * (autocannon 9 sends what its rates allow for a second at the beginning of it, each request after the answer to the last
 * one on its connection, and adds to the latencies afterwards what it did not send in time.)
 */
import { on, once } from 'node:events';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Connection, type OnAnswer } from './connection.ts';
import { createMix, type MixRequest } from './mix.ts';
import type { Tenant } from './tenants.ts';

/** The first message to this process. */
export interface LoadOptions {
  readonly port: number;
  readonly tenants: readonly Tenant[];
  readonly connections: number;
  /** Of the popularity of requests. */
  readonly zipfExponent: number;
}

/** Each message after it: so many requests a second for so long. */
export interface Run {
  readonly rate: number;
  readonly seconds: number;
}

/** The answer to it. */
export interface RunReport {
  /** Until the last answer was there. */
  readonly answeredPerSecond: number;
  /** Of requests, by what was wrong. */
  readonly faults: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How late this process itself began its requests: part of the latencies, and no fault of the server. */
  readonly lateP99Ms: number;
}

/** How long answers are waited for after the last request has begun. */
const graceMs = 5_000;
const tickMs = 1;

interface Waiting {
  readonly request: string;
  readonly onAnswer: OnAnswer;
}

const [options] = (await once(process, 'message')) as [LoadOptions];
const idle = Array.from({ length: options.connections }, () => new Connection(options.port));
const waiting = new Set<Waiting>();
const nextRequest = createMix(options.tenants, options.zipfExponent, 'cached mix');
for await (const [wanted] of on(process, 'message')) process.send!(await run(wanted as Run));

async function run({ rate, seconds }: Run): Promise<RunReport> {
  const latencies = createHistogram();
  const delays = createHistogram();
  const faults: Record<string, number> = {};
  const total = Math.round(rate * seconds);
  let answered = 0;
  const firstMs = performance.now();
  const begin = (number: number) => {
    const startMs = firstMs + (number * 1_000) / rate;
    delays.record(microsecondsSince(startMs));
    start({
      request: textOf(nextRequest()),
      onAnswer(fault) {
        answered += 1;
        latencies.record(microsecondsSince(startMs));
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
  waiting.clear();
  if (answered < total) faults['no answer'] = total - answered;
  const atMs = (percentile: number) => latencies.percentile(percentile) / 1_000;
  return {
    answeredPerSecond: answered / tookSeconds,
    faults,
    p50Ms: atMs(50),
    p95Ms: atMs(95),
    p99Ms: atMs(99),
    maxMs: latencies.max / 1_000,
    lateP99Ms: delays.percentile(99) / 1_000,
  };
}

/** At least 1, as a histogram wants it. */
function microsecondsSince(startMs: number): number {
  return Math.max(1, Math.round((performance.now() - startMs) * 1_000));
}

function start(next: Waiting): void {
  const connection = idle.pop();
  if (connection) send(connection, next);
  else waiting.add(next);
}

function send(connection: Connection, { request, onAnswer }: Waiting): void {
  connection.send(request, (fault) => {
    onAnswer(fault);
    // A set keeps the order in which they came, and gives up its first at no cost.
    const [next] = waiting;
    if (next === undefined) idle.push(connection);
    else {
      waiting.delete(next);
      send(connection, next);
    }
  });
}

function textOf({ method, path, body, token }: MixRequest): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\n`;
  if (method === 'GET') return `${head}\r\n`;
  return `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
