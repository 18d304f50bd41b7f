/** A real Varnish in front of one process while another writes: what reaches the server, and how soon writes are seen. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { signDevelopmentToken } from '../src/auth/development-key.ts';
import { scopes } from '../src/context.ts';
import { encodeGlobalId } from '../src/schema/global-id.ts';
import { findFreePort } from '../src/testing/free-port.ts';
import { hasVarnish, startTestVarnish, type TestEdge } from '../src/testing/test-edge.ts';
import { type ServerProcess, startServer } from './faults/server-process.ts';
import { createWorld, type World } from './faults/world.ts';
import { createReport, type Report } from './inference/report.ts';
import { percentile } from './statistics.ts';

const documents = {
  one: 'query One($organizationId: ID!, $id: ID!) { publicFeature(organizationId: $organizationId, id: $id) { id name status testSummary { passed total } } }',
  list: 'query List($organizationId: ID!, $first: Int) { publicFeatures(organizationId: $organizationId, first: $first) { totalCount nodes { id name } } }',
  own: 'query Own { viewer { id } }',
};
const featureCount = 50;
const reads = 10_000;
const readers = 32;
const mutations = 100;
const deadlineMs = 250;
/** Reads that begin so long after a write was acknowledged must not be older. */
const freshAfterMs = 1_000;

interface Viewer {
  readonly id: string;
  readonly token: string;
}

interface Bench {
  readonly report: Report;
  readonly edge: TestEdge;
  /** Behind the edge. */
  readonly server: ServerProcess;
  /** Where writes go. */
  readonly writer: ServerProcess;
  readonly organizationId: string;
  readonly features: readonly string[];
  readonly viewers: readonly Viewer[];
}

export async function benchCdn(): Promise<void> {
  if (!hasVarnish()) return;
  const folder = mkdtempSync(join(tmpdir(), 'tributary-cdn-'));
  const world = await createWorld();
  const ends: (() => Promise<unknown>)[] = [() => world.close()];
  try {
    const manifest = join(folder, 'documents.json');
    writeFileSync(manifest, JSON.stringify(documents));
    const port = await findFreePort();
    const edge = await startTestVarnish(port, { token: 'bench' });
    ends.push(() => edge.stop());
    const environment = {
      ...world.environment,
      TRUSTED_DOCUMENTS_PATH: manifest,
      TRUSTED_PROXIES: '1',
      CDN_PURGE_URLS: edge.origin.replace('http', 'varnish+http'),
      CDN_PURGE_TOKEN: 'bench',
      CDN_PURGE_DEADLINE_MS: String(deadlineMs),
    };
    const server = await startServer(port, environment);
    ends.push(() => server.stop());
    const writer = await startServer(await findFreePort(), environment);
    ends.push(() => writer.stop());
    await measure({ report: createReport(), edge, server, writer, ...(await createSubjects(world, writer)) });
  } finally {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(bench: Bench): Promise<void> {
  bench.report.title(`Varnish before one of two processes with Redis, ${featureCount} public features`);
  await measureReads(bench);
  await measureWrites(bench);
  await measurePrivate(bench);
  await measureFault(bench, 'frozen', {
    begin: async () => bench.edge.freeze(),
    end: async () => bench.edge.thaw(),
  });
  await measureFault(bench, 'dead', { begin: () => bench.edge.kill(), end: () => bench.edge.start() });
}

/** Public features of the demo organization, and two of its users. */
async function createSubjects(world: World, { origin }: ServerProcess) {
  const client = postgres(world.postgres.url, { max: 1, fetch_types: false, types: {} });
  const users = await client<{ id: string; organizationId: string }[]>`
    select id, organization_id as "organizationId" from users
    where organization_id = (select organization_id from users where email = 'ada@riverbank.example') order by id limit 2`;
  await client.end();
  const viewers: Viewer[] = [];
  for (const { id: userId, organizationId } of users) {
    const token = await signDevelopmentToken(world.environment.DATA_DIR!, { userId, organizationId, scopes }, 1);
    viewers.push({ id: encodeGlobalId('User', userId), token });
  }
  const document =
    'mutation ($name: String!) { createFeature(input: { name: $name, isPublic: true }) { feature { id } } }';
  const features: string[] = [];
  for (let index = 0; index < featureCount; index++) {
    const data = await mutate(origin, document, { name: `Subject ${index}` });
    features.push((data.createFeature as { feature: { id: string } }).feature.id);
  }
  return { viewers, features, organizationId: encodeGlobalId('Organization', users[0]!.organizationId) };
}

async function measureReads({ report, edge, server, organizationId, features }: Bench): Promise<void> {
  const paths = [
    ...features.map((id) => pathOf('one', { organizationId, id })),
    ...[5, 10, 20, 50].map((first) => pathOf('list', { organizationId, first })),
  ];
  // What was written for this bench is purged once more.
  await pause(1_500);
  const before = await countAnswers(server);
  const ages: number[] = [];
  const startedMs = performance.now();
  let left = reads;
  await Promise.all(
    Array.from({ length: readers }, async () => {
      while (left > 0) {
        left -= 1;
        const response = await fetch(edge.origin + paths[Math.floor(Math.random() * paths.length)]!);
        const { errors } = (await response.json()) as { errors?: unknown };
        if (response.status !== 200 || errors) throw new Error(`${response.status} ${JSON.stringify(errors)}`);
        ages.push(Number(response.headers.get('age')));
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  const reached = (await countAnswers(server)) - before;
  report.check(
    `${reads.toLocaleString('en')} anonymous reads of ${paths.length} URLs in ${seconds.toFixed(1)} s: ${reached} reached the server`,
    `<= ${paths.length}`,
    reached <= paths.length,
  );
  const outcomes = [...(await countOutcomes(server))].map(([outcome, count]) => `${outcome} ${count}`);
  report.figure(`since its start the server has answered by: ${outcomes.join(', ')}`);
  report.figure(`Age at the edge: up to ${Math.max(...ages)} s`);
}

/** Each write, and how long after its acknowledgement the edge gives it, while readers ask for it all the time. */
async function measureWrites(bench: Bench): Promise<void> {
  const { report, edge, organizationId, features } = bench;
  const id = features[0]!;
  const path = pathOf('one', { organizationId, id });
  const acknowledged: { number: number; atMs: number }[] = [];
  const over = new AbortController();
  let old = 0;
  const load = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) {
      const startedMs = performance.now();
      const number = await numberAt(edge, path);
      const expected = acknowledged.findLast(({ atMs }) => atMs <= startedMs - freshAfterMs);
      if (expected && number < expected.number) old += 1;
    }
  });
  const writeMs: number[] = [];
  const seenMs: number[] = [];
  for (let number = 1; number <= mutations; number++) {
    writeMs.push(await rename(bench, id, number));
    const atMs = performance.now();
    acknowledged.push({ number, atMs });
    while ((await numberAt(edge, path)) < number) await pause(1);
    seenMs.push(performance.now() - atMs);
    await pause(20);
  }
  await pause(freshAfterMs + 200);
  over.abort();
  await Promise.all(load);
  report.figure(`${mutations} writes by the other process under reads: ${inMs(writeMs)}`);
  const slowestMs = Math.max(...seenMs);
  report.check(
    `seen at the edge after the acknowledgement: ${inMs(seenMs)}`,
    `<= ${freshAfterMs} ms`,
    slowestMs <= freshAfterMs,
  );
  report.check(`reads of something older than ${freshAfterMs} ms: ${old}`, '0', old === 0);
}

async function measurePrivate({ report, edge, server, viewers }: Bench): Promise<void> {
  const rounds = 100;
  const before = await countAnswers(server);
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    for (const { id, token } of viewers) {
      const response = await fetch(edge.origin + pathOf('own', {}), { headers: { authorization: `Bearer ${token}` } });
      const { data } = (await response.json()) as { data: { viewer: { id: string } } };
      if (data.viewer.id !== id) wrong += 1;
    }
  }
  const reached = (await countAnswers(server)) - before;
  const asked = rounds * viewers.length;
  report.check(
    `${asked} reads of two viewers in turn: ${reached} reached the server, ${wrong} were another's`,
    `${asked} and 0`,
    reached === asked && wrong === 0,
  );
}

async function measureFault(
  bench: Bench,
  label: string,
  { begin, end }: { begin(): Promise<void>; end(): Promise<void> },
): Promise<void> {
  const { report, edge, organizationId, features } = bench;
  const id = features[1]!;
  const path = pathOf('one', { organizationId, id });
  const healthyMs: number[] = [];
  let number = 1_000;
  for (let times = 0; times < 20; times++) healthyMs.push(await rename(bench, id, ++number));
  await numberAt(edge, path);
  await begin();
  const awayMs: number[] = [];
  for (let times = 0; times < 50; times++) awayMs.push(await rename(bench, id, ++number));
  await end();
  const backMs = performance.now();
  let old = 0;
  // Dead, it needs a moment to find its server.
  while ((await numberAt(edge, path).catch(() => 0)) < number) {
    old += 1;
    await pause(5);
  }
  const limitMs = deadlineMs + Math.max(...healthyMs) + 50;
  report.check(
    `a ${label} edge: 50 writes take ${inMs(awayMs)}, before ${inMs(healthyMs)}`,
    `<= ${Math.round(limitMs)} ms`,
    Math.max(...awayMs) <= limitMs,
  );
  report.figure(
    `back, it gives the last of them after ${Math.round(performance.now() - backMs)} ms, ${old} other answers before`,
  );
}

/** How long it took, in milliseconds. */
async function rename({ writer }: Bench, id: string, number: number): Promise<number> {
  const document =
    'mutation ($id: ID!, $name: String!) { updateFeature(input: { id: $id, name: $name }) { feature { id } } }';
  const startedMs = performance.now();
  await mutate(writer.origin, document, { id, name: `Subject #${number}` });
  return performance.now() - startedMs;
}

async function mutate(origin: string, query: string, variables: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** The number of the write that the edge shows. */
async function numberAt({ origin }: TestEdge, path: string): Promise<number> {
  const response = await fetch(origin + path, { signal: AbortSignal.timeout(5_000) });
  const { data } = (await response.json()) as { data: { publicFeature: { name: string } } };
  return Number(data.publicFeature.name.split('#')[1] ?? 0);
}

/** Requests that the server has answered from its cache or made an answer for, by how. */
async function countOutcomes({ origin }: ServerProcess): Promise<Map<string, number>> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, outcome, count] of text.matchAll(
    /^tributary_cache_answers_total\{[^}]*outcome="(\w+)"[^}]*\} (\d+)$/gm,
  )) {
    counts.set(outcome!, (counts.get(outcome!) ?? 0) + Number(count));
  }
  return counts;
}

async function countAnswers(server: ServerProcess): Promise<number> {
  return (await countOutcomes(server)).values().reduce((sum, count) => sum + count, 0);
}

function pathOf(name: keyof typeof documents, variables: object): string {
  return `/graphql/${name}?${new URLSearchParams({ variables: JSON.stringify(variables) })}`;
}

function inMs(values: readonly number[]): string {
  return `p50 ${percentile(values, 0.5).toFixed(1)} ms, max ${Math.max(...values).toFixed(1)} ms`;
}
