import { setTimeout as pause } from 'node:timers/promises';

export interface HealthFigures {
  asked: number;
  /** Not answered with 200 within two seconds. */
  failed: number;
  p95Ms: number;
}

const everyMs = 50;
const limitMs = 2_000;

/** Asks /healthz all the time, from this process; `stop` answers with what came of it. */
export function watchHealth(origin: string): { stop(): Promise<HealthFigures> } {
  const latenciesMs: number[] = [];
  let failed = 0;
  let isStopped = false;
  const watching = (async () => {
    while (!isStopped) {
      const startedAt = performance.now();
      const isAlive = await fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(limitMs) }).then(
        async (response) => (await response.text()) !== '' && response.status === 200,
        () => false,
      );
      if (isAlive) latenciesMs.push(performance.now() - startedAt);
      else failed += 1;
      await pause(everyMs);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await watching;
      const sorted = latenciesMs.toSorted((a, b) => a - b);
      return {
        asked: latenciesMs.length + failed,
        failed,
        p95Ms: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN,
      };
    },
  };
}
