/**
 * The load, a process of its own: requests start at a given rate, whatever becomes of those before, and each one's latency
 * counts from when it was to start. So a server that stands still is charged for all who wait.
 * (autocannon 9 sends what its rates allow for a second at the beginning of it, each request after the answer to the last
 * one on its connection, and adds to the latencies afterwards what it did not send in time.)
 */
import { on, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { createRandom } from '../../src/seed/random.ts';
import { createMix, type MixRequest } from '../cached-mix/mix.ts';
import { type Answer, Connection, requestText } from './connection.ts';
import { readKnownTenants } from './known-objects.ts';
import { dataOf, outcomeOf } from './outcome.ts';
import { Recorder } from './recorder.ts';
import type { LoadOptions, Outcome, Run, RunReport } from './run-report.ts';
import { createUncachedMix } from './uncached-mix.ts';

/** How long a client waits: as long as the server lets a request take, and a little for the way. */
const timeoutMs = 11_000;
const tickMs = 1;
/** Of the answers that can be compared: decoding takes as long as sending. */
const comparedShare = 0.1;

interface Waiting {
  readonly request: MixRequest;
  readonly startMs: number;
  readonly onEnd: (outcome: Outcome, answer: Answer | null) => void;
  connection: Connection | null;
}

const [options] = (await once(process, 'message')) as [LoadOptions];
const idle: Connection[] = [];
let opened = 0;
/** In the order in which they were due; a set gives up its first at no cost. */
const unanswered = new Set<Waiting>();
/** Those of them that wait for a connection. */
const unsent = new Set<Waiting>();
const random = createRandom('load');
let shown = 0;
const nextRequest = await createRequests();
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
  const firstMs = performance.now();
  const startsMs: number[] = [];
  let endMs = 0;
  for (const { seconds } of phases) {
    startsMs.push(endMs);
    endMs += seconds * 1_000;
  }
  const recorder = new Recorder(startsMs);
  for (const [index, { rate, seconds }] of phases.entries()) {
    const phaseMs = startsMs[index]!;
    const total = Math.round(rate * seconds);
    for (let begun = 0; begun < total; ) {
      const elapsedMs = performance.now() - firstMs - phaseMs;
      const due = Math.min(total, Math.floor((elapsedMs * rate) / 1_000) + 1);
      while (begun < due) begin(phaseMs + (begun++ * 1_000) / rate, firstMs, recorder);
      giveUpLate();
      await pause(tickMs);
    }
  }
  while (unanswered.size > 0) {
    giveUpLate();
    await pause(tickMs);
  }
  return recorder.report(Math.max(endMs, performance.now() - firstMs) / 1_000);
}

function begin(dueMs: number, firstMs: number, recorder: Recorder): void {
  const startMs = firstMs + dueMs;
  const request = nextRequest();
  recorder.began(performance.now() - startMs);
  start({
    request,
    startMs,
    connection: null,
    onEnd(outcome, answer) {
      const latencyMs = performance.now() - startMs;
      const { check } = request;
      const isCompared = outcome === 'ok' && check !== undefined && random.chance(comparedShare);
      if (isCompared) recorder.compared += 1;
      const isWrong = isCompared && !check(dataOf(answer!));
      if (isWrong) show(request, answer!);
      recorder.ended(dueMs, request.kind, isWrong ? 'wrong answer' : outcome, latencyMs);
    },
  });
}

/** The first ones: many are wrong in one way. */
function show({ path, body }: MixRequest, answer: Answer): void {
  shown += 1;
  if (shown <= 3) console.error(`wrong answer to ${path} ${body}\n  ${answer.body().slice(0, 500)}`);
}

function start(next: Waiting): void {
  unanswered.add(next);
  const connection = idle.pop() ?? (opened < options.maxConnections ? open() : null);
  if (connection) send(connection, next);
  else unsent.add(next);
}

function open(): Connection {
  opened += 1;
  return new Connection(options.port);
}

function send(connection: Connection, sent: Waiting): void {
  sent.connection = connection;
  connection.send(requestText(sent.request), (answer) => {
    end(sent, outcomeOf(answer), answer);
    const [next] = unsent;
    if (next === undefined) idle.push(connection);
    else {
      unsent.delete(next);
      send(connection, next);
    }
  });
}

function end(ended: Waiting, outcome: Outcome, answer: Answer | null): void {
  // It was given up.
  if (!unanswered.delete(ended)) return;
  unsent.delete(ended);
  ended.onEnd(outcome, answer);
}

function giveUpLate(): void {
  const untilMs = performance.now() - timeoutMs;
  for (const late of unanswered) {
    if (late.startMs > untilMs) return;
    end(late, 'timed out', null);
    late.connection?.abandon();
  }
}
