import { cpuSeconds } from '../process-cpu.ts';
import type { LoadFigures, Target } from './closed-loop.ts';
import type { Answer } from './connection.ts';
import { LatencyRecord } from './latency.ts';
import { OpenLoop, type RequestEnd } from './open-loop.ts';

/** Over which the requests go; one for which none is idle waits. */
export const constantRateConnections = 64;
/** How long an answer is waited for. */
const timeoutMs = 5_000;
// No text of ours can hold it: a quote inside of a JSON text is escaped.
const errorsKey = Buffer.from('"errors":[');

/**
 * So many requests a second, latency counted from when each was to start.
 * @throws when a request failed, had no answer within five seconds, or not the expected one
 */
export async function runConstantRate(target: Target, rate: number, seconds: number): Promise<LoadFigures> {
  const { port } = new URL(target.url);
  const loop = new OpenLoop({ port: Number(port), maxConnections: constantRateConnections, timeoutMs });
  try {
    const text = textOf(target);
    const latency = new LatencyRecord();
    const faults: Record<string, number> = {};
    let answered = 0;
    const onEnd = ({ answer, isTimedOut, latencyMs }: RequestEnd) => {
      const fault = isTimedOut ? 'no answer' : faultOf(answer, target);
      if (fault !== null) faults[fault] = (faults[fault] ?? 0) + 1;
      answered += 1;
      latency.record(latencyMs);
    };
    const cpuBefore = cpuSeconds(target.pid);
    const { tookSeconds } = await loop.run([{ rate, seconds }], () => ({ text, onEnd }));
    const spentSeconds = cpuSeconds(target.pid) - cpuBefore;
    const described = Object.entries(faults).map(([fault, count]) => `${count} times ${fault}`);
    if (described.length > 0 || answered === 0) {
      throw new Error(`${target.method} ${target.url}, ${rate} requests a second: ${described.join(', ') || 'none'}`);
    }
    return {
      requests: answered,
      shed: 0,
      requestsPerSecond: answered / tookSeconds,
      cpuMicroseconds: Number.isNaN(spentSeconds) ? null : (spentSeconds * 1e6) / answered,
      latency,
    };
  } finally {
    loop.close();
  }
}

/** Every request is the same, so it is written once. Latin-1 on the wire: no header holds more, and bodies are ASCII. */
function textOf({ method, url, headers, body }: Target): string {
  const { host, pathname, search } = new URL(url);
  const lines = Object.entries({
    host,
    ...headers,
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}

/** null: it is what it should be. */
function faultOf(answer: Answer | null, { isExpected }: Target): string | null {
  if (answer === null) return 'connection closed';
  if (answer.status !== 200) return `status ${answer.status}`;
  if (answer.holds(errorsKey)) return 'errors in the answer';
  return isExpected(answer.body()) ? null : 'another answer';
}
