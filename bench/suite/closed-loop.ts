import autocannon from 'autocannon';
import { cpuSeconds } from '../process-cpu.ts';
import { LatencyRecord } from './latency.ts';

/** A request that is sent over and over, and the process that answers it. */
export interface Target {
  readonly pid: number;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** None for GET. */
  readonly body?: string;
  /** Whether an answer with status 2xx is the one wanted. */
  isExpected(body: string): boolean;
}

/** How much of a load: what is reached first. */
export interface Amount {
  readonly seconds?: number;
  readonly requests?: number;
  /** Whether a server may refuse what is too much for it, as ours does when too many statements wait. Default: no. */
  readonly mayShed?: boolean;
}

const shedStatus = 503;
const maxSeconds = 3_600;
const answerLimitSeconds = 30;

/** What a load has measured: all but `shed` is of the requests that were answered. */
export interface LoadFigures {
  readonly requests: number;
  /** Refused. */
  readonly shed: number;
  readonly requestsPerSecond: number;
  /** Of the server's process, user and system, a request; null where it cannot be known. */
  readonly cpuMicroseconds: number | null;
  readonly latency: LatencyRecord;
}

/**
 * As many requests as the connections can: each sends the next one when it has the answer to the last.
 * @throws when a request failed, was shed and must not be, or an answer was not the expected one
 */
export async function runClosedLoop(target: Target, connections: number, amount: Amount): Promise<LoadFigures> {
  const { pid, url, method, headers, body, isExpected } = target;
  const latency = new LatencyRecord();
  let wrong: string | null = null;
  const cpuBefore = cpuSeconds(pid);
  const startMs = performance.now();
  const stopAfterMs = (amount.seconds ?? maxSeconds) * 1_000;
  let lastMs = startMs;
  let [requests, shed, lastStatus] = [0, 0, 0];
  const { non2xx, errors, mismatches } = await new Promise<autocannon.Result>((resolve, reject) => {
    const load = autocannon(
      {
        url,
        method,
        headers: { ...headers },
        ...(body !== undefined && { body }),
        connections,
        duration: maxSeconds,
        timeout: answerLimitSeconds,
        // The first failure ends it.
        bailout: 1,
        ...(amount.requests !== undefined && { maxOverallRequests: amount.requests }),
        // How soon it sees that all requests are answered.
        sampleInt: 20,
        // Called behind 'response', which does not know the body.
        verifyBody(answer) {
          const text = String(answer);
          const isShed = lastStatus === shedStatus && text.includes('"code":"OVERLOADED"');
          if (isExpected(text) || (amount.mayShed && isShed)) return true;
          wrong ??= text;
          return false;
        },
      },
      (error, result) => (error ? reject(error) : resolve(result)),
    );
    load.on('response', (_client, status, _bytes, responseMs) => {
      lastMs = performance.now();
      lastStatus = status;
      if (status === shedStatus) shed += 1;
      else {
        requests += 1;
        latency.record(responseMs);
      }
      // Each connection has its turn, however slow the server is.
      if (requests + shed >= connections && lastMs - startMs >= stopAfterMs) load.stop();
    });
  });
  const spentSeconds = cpuSeconds(pid) - cpuBefore;
  const failed = amount.mayShed ? non2xx - shed : non2xx;
  if (failed + errors + mismatches > 0 || requests === 0) {
    const counts = `${requests} answers, ${failed} not 2xx, ${mismatches} not as expected, ${errors} errors`;
    throw new Error(`${method} ${url}: ${counts}${wrong === null ? '' : `, such as ${String(wrong).slice(0, 300)}`}`);
  }
  return {
    requests,
    shed,
    requestsPerSecond: (requests * 1_000) / (lastMs - startMs),
    cpuMicroseconds: Number.isNaN(spentSeconds) ? null : (spentSeconds * 1e6) / requests,
    latency,
  };
}
