import { setTimeout as pause } from 'node:timers/promises';
import type { ProcessSample } from './results.ts';

const everyMs = 250;

/** Reads the server's own gauges while it is loaded, which takes some of its time: not within what is measured. */
export function sampleProcess(origin: string): { stop(): Promise<ProcessSample[]> } {
  const startMs = performance.now();
  const samples: ProcessSample[] = [];
  let isStopped = false;
  const sampling = (async () => {
    while (!isStopped) {
      const text = await (await fetch(`${origin}/metrics`)).text();
      samples.push({ atMs: Math.round(performance.now() - startMs), ...readGauges(text) });
      await pause(everyMs);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await sampling;
      return samples;
    },
  };
}

function readGauges(text: string): Omit<ProcessSample, 'atMs'> {
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
  return {
    rssMib: value('process_resident_memory_bytes') / 2 ** 20,
    heapMib: value('nodejs_heap_size_used_bytes') / 2 ** 20,
    // Since the last reading.
    eventLoopDelayP99Ms: value('nodejs_eventloop_lag_p99_seconds') * 1_000,
  };
}
