/** The load of the cached mix, a process of its own. */
import { on, once } from 'node:events';
import { OpenLoop, type OpenLoopRun } from '../suite/open-loop.ts';
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
export type Run = OpenLoopRun;

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

const [options] = (await once(process, 'message')) as [LoadOptions];
const loop = new OpenLoop(options.port, options.connections);
const nextRequest = createMix(options.tenants, options.zipfExponent, 'cached mix');
for await (const [wanted] of on(process, 'message')) process.send!(await run(wanted as Run));

async function run(wanted: Run): Promise<RunReport> {
  const { answeredPerSecond, faults, latency, lateness } = await loop.run(() => textOf(nextRequest()), wanted);
  const { p50Ms, p95Ms, p99Ms, maxMs } = latency.summary();
  return { answeredPerSecond, faults, p50Ms, p95Ms, p99Ms, maxMs, lateP99Ms: lateness.summary().p99Ms };
}

function textOf({ method, path, body, token }: MixRequest): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\n`;
  if (method === 'GET') return `${head}\r\n`;
  return `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
