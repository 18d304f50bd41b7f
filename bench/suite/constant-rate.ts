import { cpuSeconds } from '../process-cpu.ts';
import type { LoadFigures, Target } from './closed-loop.ts';
import { OpenLoop } from './open-loop.ts';

const connections = 64;

/**
 * So many requests a second, latency counted from when each was to start.
 * @throws when a request failed, had no answer within five seconds, or not the expected one
 */
export async function runConstantRate(target: Target, rate: number, seconds: number): Promise<LoadFigures> {
  const { port } = new URL(target.url);
  const loop = new OpenLoop(Number(port), connections, target.isExpected);
  try {
    const request = textOf(target);
    const cpuBefore = cpuSeconds(target.pid);
    const { answered, answeredPerSecond, faults, latency } = await loop.run(() => request, { rate, seconds });
    const spentSeconds = cpuSeconds(target.pid) - cpuBefore;
    const described = Object.entries(faults).map(([fault, count]) => `${count} times ${fault}`);
    if (described.length > 0 || answered === 0) {
      throw new Error(`${target.method} ${target.url}, ${rate} requests a second: ${described.join(', ') || 'none'}`);
    }
    return {
      requests: answered,
      requestsPerSecond: answeredPerSecond,
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
