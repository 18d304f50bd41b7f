/**
 * Preloaded into a server under measurement: answers on a port of its own what the process has done so far. Its URL says
 * what: `?port=N&instrument=work` counts promises and the source that ran, `allocations` the bytes of the heap only,
 * as counters allocate too.
 *
 * Both run unoptimized code. When the compiler optimizes a function, inlines a call or takes an object apart depends on
 * time, and what is optimized or inlined counts no calls: figures then differ by 5 to 15 % from run to run, else by 0.2 %.
 */
import { createServer } from 'node:http';
import { type Profiler, Session } from 'node:inspector';
import { getHeapStatistics, promiseHooks, setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { type ExecutedSource, sumExecutedSource } from './executed-source.ts';

/** Since the last reading, but for `allocatedBytes`, which is since the start. */
export interface ProbeReading extends ExecutedSource {
  promises: number;
  allocatedBytes: number;
}

export type Instrument = 'work' | 'allocations';

const ownFolder = new URL('..', import.meta.url).href;

if (isMainThread) {
  const { searchParams } = new URL(import.meta.url);
  for (const flag of ['--no-opt', '--no-maglev', '--no-flush-bytecode']) setFlagsFromString(flag);
  const readWork =
    searchParams.get('instrument') === 'work' ? countWork() : () => ({ calls: 0, characters: 0, promises: 0 });
  const server = createServer((_request, response) => {
    // Before the counters are read, which allocates.
    const { total_allocated_bytes: allocatedBytes } = getHeapStatistics() as unknown as Record<string, number>;
    response.end(JSON.stringify({ ...readWork(), allocatedBytes }));
  });
  server.listen(Number(searchParams.get('port')), '127.0.0.1').unref();
}

/** Scripts that were loaded before have no counters of blocks. */
function countWork(): () => Omit<ProbeReading, 'allocatedBytes'> {
  let promises = 0;
  promiseHooks.onInit(() => {
    promises += 1;
  });
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  return () => {
    const executed = sumExecutedSource(takeCoverage(session), (url) => !url.startsWith(ownFolder));
    const reading = { ...executed, promises };
    promises = 0;
    return reading;
  };
}

/** A session with its own thread answers before it returns. */
function takeCoverage(session: Session): Profiler.ScriptCoverage[] {
  let scripts: Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error) throw error;
    scripts = result;
  });
  return scripts;
}
