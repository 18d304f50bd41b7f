/** One web process against several on the same machine: requests a second, and CPU of all processes together. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { findFreePort } from '../src/testing/free-port.ts';
import { startTestPostgres } from '../src/testing/test-postgres.ts';
import { startTestRedis } from '../src/testing/test-redis.ts';
import { type ServerProcess, startServer } from './faults/server-process.ts';
import { type BenchQuery, createFourQueries } from './four-queries.ts';
import { createReport, type Report } from './inference/report.ts';
import { median } from './statistics.ts';

export interface ProcessesOptions {
  /** Web processes of the second side. */
  processes: number;
  /** Features in the database. */
  scale: number;
  /** Of each measurement. */
  seconds: number;
  rounds: number;
  connections: number;
}

interface Figures {
  rate: number;
  p99Ms: number;
  cpuMicroseconds: number;
}

// Real quotas, high enough that the load stays below them.
const highQuotas = { RATE_LIMIT_VIEWER: '999999999999/60', RATE_LIMIT_ADDRESS: '999999999999/60' };
const cachedPage = '{ features(first: 10) { nodes { id name status owner { name } testSummary { passed total } } } }';

/** The cached page, and the four queries without the cache; one side after the other in each round. */
export async function benchProcesses(options: ProcessesOptions): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const [database, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const report = createReport();
  const base = { DATABASE_URL: database.url, DATA_DIR: dataDir, REDIS_URL: redis.url, ...highQuotas };
  try {
    const args = ['src/seed/cli.ts', '--scale', String(options.scale)];
    execFileSync(process.execPath, args, {
      env: { DATABASE_URL: database.url },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    report.title(
      `1 and ${options.processes} web processes, ${options.connections} connections, ${availableParallelism()} cores for them, Postgres and the load`,
    );
    const cached = [{ name: 'cached page of 10 features', query: cachedPage, variables: {} }];
    await compare(base, async () => cached, { options, report });
    const uncached = { ...base, RESPONSE_CACHE_BYTES: '0' };
    const queriesOf = (server: ServerProcess) => createFourQueries((query, variables) => ask(server, query, variables));
    await compare(uncached, queriesOf, { options, report });
  } finally {
    await Promise.all([database.remove(), redis.stop()]);
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function compare(
  environment: Record<string, string>,
  queriesOf: (server: ServerProcess) => Promise<Omit<BenchQuery, 'key'>[]>,
  { options, report }: { options: ProcessesOptions; report: Report },
): Promise<void> {
  const servers: ServerProcess[] = [];
  try {
    for (const count of [1, options.processes]) {
      servers.push(await startServer(await findFreePort(), { ...environment, WEB_PROCESSES: String(count) }));
    }
    const [one, several] = servers as [ServerProcess, ServerProcess];
    for (const query of await queriesOf(one)) {
      for (const server of servers) await load(server, query, options);
      const rounds: { one: Figures; several: Figures }[] = [];
      for (let round = 0; round < options.rounds; round++) {
        rounds.push({ one: await load(one, query, options), several: await load(several, query, options) });
      }
      reportRounds(report, query.name, rounds);
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

function reportRounds(report: Report, name: string, rounds: { one: Figures; several: Figures }[]): void {
  const of = (side: 'one' | 'several', figure: keyof Figures) => median(rounds.map((round) => round[side][figure]));
  for (const side of ['one', 'several'] as const) {
    const rate = Math.round(of(side, 'rate')).toLocaleString('en');
    const cpu = Math.round(of(side, 'cpuMicroseconds'));
    report.figure(`${name}, ${side}: ${rate} req/s, p99 ${of(side, 'p99Ms')} ms, ${cpu} µs of CPU a request`);
  }
  const ratios = rounds.map(({ one, several }) => several.rate / one.rate);
  const each = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
  report.figure(`${name}: ${median(ratios).toFixed(2)} times the requests a second (${each})`);
}

async function load(
  server: ServerProcess,
  { query, variables }: Omit<BenchQuery, 'key'>,
  { seconds, connections }: ProcessesOptions,
): Promise<Figures> {
  const before = await cpuSeconds(server);
  const { requests, latency, non2xx, errors } = await autocannon({
    url: `${server.origin}/graphql`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    connections,
    duration: seconds,
  });
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers that are not 2xx, ${errors} errors`);
  const cpuMicroseconds = (((await cpuSeconds(server)) - before) * 1e6) / requests.total;
  return { rate: requests.average, p99Ms: latency.p99, cpuMicroseconds };
}

/** Of all processes of the server: those of the web, the primary and that of the models. */
async function cpuSeconds(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const values = text.matchAll(/^process_cpu_seconds_total(?:\{[^}]*\})? ([\d.e-]+)$/gm);
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function ask(server: ServerProcess, query: string, variables: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
