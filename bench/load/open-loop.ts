/** The load, a process of its own: the mixes at the rates it is told, with what becomes of each request. */
import { on, once } from 'node:events';
import { createRandom } from '../../src/seed/random.ts';
import { createMix, type MixRequest } from '../cached-mix/mix.ts';
import type { Answer } from '../suite/connection.ts';
import { OpenLoop, type RequestEnd } from '../suite/open-loop.ts';
import { readKnownTenants } from './known-objects.ts';
import { dataOf, outcomeOf } from './outcome.ts';
import { Recorder } from './recorder.ts';
import { requestText } from './request-text.ts';
import type { LoadOptions, Run, RunReport } from './run-report.ts';
import { createUncachedMix } from './uncached-mix.ts';

/** As long as the server lets a request take, and a little for the way. */
const timeoutMs = 11_000;
/** Decoding a page takes longer than all the rest of its request. */
const comparedPerSecond = 100;
/** Of the wrong ones: many are wrong in one way. */
const shownAtMost = 3;

const [options] = (await once(process, 'message')) as [LoadOptions];
const loop = new OpenLoop({ ...options, timeoutMs });
const random = createRandom('load');
const nextRequest = await createRequests();
let shown = 0;
process.send!('ready');
for await (const [wanted] of on(process, 'message')) process.send!(await run(wanted as Run));

async function createRequests(): Promise<() => MixRequest> {
  const { tenants, cachedShare, zipfExponent, port, databaseUrl } = options;
  const cached = createMix(tenants, zipfExponent, 'cached mix');
  if (cachedShare === 1) return cached;
  const known = await readKnownTenants(tenants, { databaseUrl, origin: `http://127.0.0.1:${port}` });
  const uncached = createUncachedMix(known, 'uncached mix');
  return () => (random.chance(cachedShare) ? cached() : uncached());
}

async function run(phases: Run): Promise<RunReport> {
  const recorder = new Recorder(phases);
  const comparedShare = comparedPerSecond / Math.max(...phases.map(({ rate }) => rate));
  const { tookSeconds, lateness } = await loop.run(phases, () => {
    const request = nextRequest();
    return { text: requestText(request), onEnd: (end) => record(recorder, request, end, random.chance(comparedShare)) };
  });
  return recorder.report(tookSeconds, lateness.summary().p99Ms);
}

function record(recorder: Recorder, request: MixRequest, end: RequestEnd, isChosen: boolean): void {
  const { answer, isTimedOut, dueMs, latencyMs } = end;
  const outcome = isTimedOut ? 'timed out' : outcomeOf(answer);
  const { kind, check } = request;
  const isCompared = isChosen && outcome === 'ok' && check !== undefined;
  if (isCompared) recorder.compared += 1;
  const isWrong = isCompared && !check(dataOf(answer!));
  if (isWrong) show(request, answer!);
  recorder.ended(dueMs, kind, isWrong ? 'wrong answer' : outcome, latencyMs);
}

function show({ path, body }: MixRequest, answer: Answer): void {
  shown += 1;
  if (shown <= shownAtMost) console.error(`wrong answer to ${path} ${body}\n  ${answer.body().slice(0, 500)}`);
}
