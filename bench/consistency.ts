/** Whether a read can ever be older than a write that was acknowledged before it began: two processes, Redis, and faults. */
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { findFreePort } from '../src/testing/free-port.ts';
import { startTcpProxy, type TcpProxy } from '../src/testing/tcp-proxy.ts';
import { type ServerProcess, startServer } from './faults/server-process.ts';
import { createWorld, type World } from './faults/world.ts';
import { createReport } from './inference/report.ts';

const clients = 32;
const featureCount = 24;
const writeShare = 0.1;
const disturbanceEveryMs = 4_000;
const requestLimitMs = 15_000;

/** A feature whose name ends in the number of its last write. */
interface Subject {
  readonly id: string;
  readonly label: string;
  /** The highest number that was acknowledged, and that was sent. */
  acknowledged: number;
  sent: number;
  isBeingWritten: boolean;
}

interface Counts {
  reads: number;
  writes: number;
  /** How many, by what was said. */
  readonly failures: Map<string, number>;
  readonly violations: string[];
}

export async function benchConsistency({ minutes }: { minutes: number }): Promise<void> {
  const world = await createWorld();
  const servers: ServerProcess[] = [];
  // The way of the second process to Redis, which can be cut for it alone.
  const proxy = await startTcpProxy(Number(new URL(world.redis.url).port));
  try {
    for (const redisPort of [new URL(world.redis.url).port, proxy.port]) {
      const environment = { ...world.environment, REDIS_URL: `redis://127.0.0.1:${redisPort}` };
      servers.push(await startServer(await findFreePort(), environment));
    }
    await check({ world, proxy, servers }, minutes);
  } finally {
    for (const server of servers) await server.stop();
    proxy.close();
    await world.close();
  }
}

interface Parts {
  readonly world: World;
  readonly proxy: TcpProxy;
  readonly servers: readonly ServerProcess[];
}

async function check(parts: Parts, minutes: number): Promise<void> {
  const { servers } = parts;
  const subjects: Subject[] = [];
  for (let index = 0; index < featureCount; index++)
    subjects.push(await createSubject(servers[0]!, `subject ${index}`));
  const counts: Counts = { reads: 0, writes: 0, failures: new Map(), violations: [] };
  const over = new AbortController();
  const loops = Array.from({ length: clients }, async () => {
    while (!over.signal.aborted) {
      const server = pick(servers);
      const subject = pick(subjects);
      try {
        if (Math.random() < writeShare && !subject.isBeingWritten) await write(server, subject, counts);
        else await read(server, subjects, subject, counts);
      } catch (error) {
        const { message } = error as Error;
        counts.failures.set(message, (counts.failures.get(message) ?? 0) + 1);
        await pause(20);
      }
    }
  });
  const done = disturb(parts, over.signal);
  await pause(minutes * 60_000);
  over.abort();
  await Promise.all([...loops, done]);
  const report = createReport();
  report.title(`Consistency: ${clients} clients on two processes for ${minutes} min, with faults`);
  const failures = [...counts.failures].map(([message, count]) => `${count} ${message}`).join(', ');
  report.figure(`${counts.reads} reads, ${counts.writes} acknowledged writes, failed: ${failures || 'none'}`);
  for (const [index, server] of servers.entries()) report.figure(`process ${index + 1}: ${await outcomesOf(server)}`);
  for (const violation of counts.violations.slice(0, 5)) report.figure(violation);
  const isMet = counts.violations.length === 0 && counts.writes > 0;
  report.check(`reads older than an acknowledged write: ${counts.violations.length}`, '0', isMet);
}

async function createSubject(server: ServerProcess, label: string): Promise<Subject> {
  const document = 'mutation ($name: String!) { createFeature(input: { name: $name }) { feature { id } } }';
  const data = await ask(server, document, { name: `${label} #0` });
  const { feature } = data.createFeature as { feature: { id: string } };
  return { id: feature.id, label, acknowledged: 0, sent: 0, isBeingWritten: false };
}

async function write(server: ServerProcess, subject: Subject, counts: Counts): Promise<void> {
  subject.isBeingWritten = true;
  try {
    subject.sent += 1;
    const number = subject.sent;
    const document =
      'mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }';
    await ask(server, document, { id: subject.id, name: `${subject.label} #${number}` });
    subject.acknowledged = number;
    counts.writes += 1;
  } finally {
    subject.isBeingWritten = false;
  }
}

/** One subject by its id, or all of them in a list. */
async function read(
  server: ServerProcess,
  subjects: readonly Subject[],
  subject: Subject,
  counts: Counts,
): Promise<void> {
  const isList = Math.random() < 0.3;
  const wanted = isList ? subjects : [subject];
  const before = wanted.map(({ acknowledged }) => acknowledged);
  const names = isList
    ? await ask(server, `{ features(filter: { nameContains: "subject " }, first: 100) { nodes { id name } } }`).then(
        ({ features }) => features as { nodes: { id: string; name: string }[] },
      )
    : await ask(server, 'query ($id: ID!) { feature(id: $id) { id name } }', { id: subject.id }).then(
        ({ feature }) => ({
          nodes: [feature as { id: string; name: string }],
        }),
      );
  counts.reads += 1;
  const numbers = new Map(names.nodes.map(({ id, name }) => [id, Number(name.split('#')[1])]));
  for (const [index, { id, label }] of wanted.entries()) {
    const number = numbers.get(id) ?? -1;
    if (number >= before[index]!) continue;
    counts.violations.push(
      `${label}: read #${number} ${isList ? 'in a list' : 'by id'} after #${before[index]} was acknowledged`,
    );
  }
}

async function ask(server: ServerProcess, query: string, variables: object = {}): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(requestLimitMs),
  });
  const { data, errors } = (await response.json()) as {
    data: Record<string, unknown>;
    errors?: { message: string; extensions?: { code?: string } }[];
  };
  if (errors) throw new Error(errors.map(({ extensions, message }) => extensions?.code ?? message).join(', '));
  return data;
}

/** Something else each time: Redis away or frozen, for one process or for both, tables locked, a process that stands still. */
async function disturb({ world, proxy, servers }: Parts, signal: AbortSignal): Promise<void> {
  const faults = [
    () => lockFeatures(world, 200),
    () => standStill(pick(servers), 500),
    () => freezeRedis(world, 300),
    () => lockFeatures(world, 1_000),
    () => cutFor(proxy, 4_000),
    () => freezeRedis(world, 3_000),
    () => restartRedis(world, 0),
    () => standStill(pick(servers), 2_500),
    () => restartRedis(world, 2_000),
  ];
  for (let round = 0; !signal.aborted; round++) {
    await pause(disturbanceEveryMs, null, { signal }).catch(() => {});
    if (!signal.aborted) await faults[round % faults.length]!();
  }
}

/** Statements that have begun before a write then end after it. */
async function lockFeatures(world: World, forMs: number): Promise<void> {
  const client = postgres(world.postgres.url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await client.begin(async (transaction) => {
      await transaction`lock table features in access exclusive mode`;
      await pause(forMs);
    });
  } finally {
    await client.end();
  }
}

async function cutFor(proxy: TcpProxy, forMs: number): Promise<void> {
  proxy.cut();
  await pause(forMs);
  proxy.mend();
}

async function freezeRedis({ redis }: World, forMs: number): Promise<void> {
  redis.freeze();
  await pause(forMs);
  redis.thaw();
}

async function restartRedis({ redis }: World, afterMs: number): Promise<void> {
  await redis.kill();
  await pause(afterMs);
  await redis.start();
}

async function standStill(server: ServerProcess, forMs: number): Promise<void> {
  server.signal('SIGSTOP');
  await pause(forMs);
  server.signal('SIGCONT');
}

/** How it answered, by tier: l2 is what the other process made, or this one before. */
async function outcomesOf(server: ServerProcess): Promise<string> {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, tier, outcome, count] of text.matchAll(
    /^tributary_cache_answers_total\{tier="(\w+)",outcome="(\w+)",.*\} (\d+)/gm,
  )) {
    const name = tier === 'none' ? outcome! : `${outcome} ${tier}`;
    counts.set(name, (counts.get(name) ?? 0) + Number(count));
  }
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
}

function pick<Item>(items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)]!;
}
