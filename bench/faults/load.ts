/**
 * The load of the fault suite, a process of its own: reads and writes in turns until it is told to stop by a message.
 * Then each write without an answer is tried again with its key until it is answered.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { FromLoad, LoadOptions, Outcome, Tick, Write } from './outcome.ts';

const tickMs = 100;
const requestTimeoutMs = 15_000;
const retryForMs = 30_000;

const reads = [
  '{ features(first: 20) { nodes { id name owner { name } testCases(first: 5) { nodes { id status } } } } }',
  '{ conversations(first: 5) { nodes { id messages(first: 5) { nodes { id author { name } } } } } }',
  '{ sentiment(text: "that was quick, thank you") { label score } }',
  '{ viewer { name } features(first: 100, orderBy: { field: NAME, direction: ASC }) { nodes { id name } } }',
];
const create = 'mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { feature { id name } } }';

interface Reply {
  outcome: Outcome;
  id: string | null;
}

interface Answer {
  data?: { createFeature?: { feature: { id: string } } | null } | null;
  errors?: { extensions?: { code?: string } }[];
}

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const agent = new Agent({ keepAlive: true, maxSockets: options.workers });
const writes: Write[] = [];
let outcomes: Tick['outcomes'] = {};
let slowestMs = 0;
let isStopped = false;
let made = 0;

function send(message: FromLoad): void {
  process.send?.(message);
}

function post(query: string, variables: unknown): Promise<Reply> {
  const body = JSON.stringify({ query, variables });
  const startedAt = performance.now();
  return new Promise<Reply>((resolve) => {
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ outcome: `socket ${error.code ?? error.message}`, id: null });
    const sent = httpRequest(
      `${options.origin}/graphql`,
      {
        method: 'POST',
        agent,
        timeout: requestTimeoutMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => resolve(read(response.statusCode ?? 0, Buffer.concat(parts).toString())));
      },
    );
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })));
    sent.on('error', fail);
    sent.end(body);
  }).then((reply) => {
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    outcomes[reply.outcome] = (outcomes[reply.outcome] ?? 0) + 1;
    return reply;
  });
}

function read(status: number, text: string): Reply {
  try {
    const { data, errors } = JSON.parse(text) as Answer;
    const id = data?.createFeature?.feature.id ?? null;
    return errors ? { outcome: errors[0]?.extensions?.code ?? `status ${status}`, id } : { outcome: 'ok', id };
  } catch {
    return { outcome: `status ${status}`, id: null };
  }
}

async function attempt(write: Write): Promise<void> {
  if (write.outcomes.length === 1) write.secondAttemptAt = Date.now();
  const { outcome, id } = await post(create, {
    input: { name: write.name, idempotencyKey: write.name.replaceAll(' ', '-') },
  });
  write.outcomes.push(outcome);
  write.id ??= id;
}

async function work(index: number): Promise<void> {
  while (!isStopped) {
    made += 1;
    if (made % options.writeEvery === 0) {
      const write: Write = { name: `${options.run} ${randomUUID()}`, outcomes: [], secondAttemptAt: null, id: null };
      writes.push(write);
      await attempt(write);
    } else await post(reads[(made + index) % reads.length]!, {});
    await pause(options.pauseMs);
  }
}

async function settle(write: Write): Promise<void> {
  const until = performance.now() + retryForMs;
  while (write.id === null && performance.now() < until) {
    await attempt(write);
    if (write.id === null) await pause(50);
  }
}

const ticking = setInterval(() => {
  send({ type: 'tick', tick: { at: Date.now(), outcomes } });
  outcomes = {};
}, tickMs);
process.on('message', () => {
  isStopped = true;
});
await Promise.all(Array.from({ length: options.workers }, (_, index) => work(index)));
const unsettled = writes.values();
await Promise.all(
  Array.from({ length: options.workers }, async () => {
    for (const write of unsettled) await settle(write);
  }),
);
clearInterval(ticking);
send({ type: 'tick', tick: { at: Date.now(), outcomes } });
agent.destroy();
const last: FromLoad = { type: 'report', report: { writes, slowestMs } };
process.send?.(last, () => process.disconnect?.());
