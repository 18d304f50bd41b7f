import autocannon from 'autocannon';
import { findFreePort } from '../src/testing/free-port.ts';
import { createTestIssuer } from '../src/testing/test-issuer.ts';
import { startTestRedis } from '../src/testing/test-redis.ts';
import { type ServerProcess, startServer } from './faults/server-process.ts';
import { type BenchQuery, createFourQueries } from './four-queries.ts';
import { median } from './statistics.ts';
import { startBenchDatabase } from './suite/bench-database.ts';

const features = 20_000;
const connections = 32;
const rounds = 7;
const requestsPerRound = 1_500;
const limitRatio = 1.15;

const allOff = {
  AUTH: 'off',
  RATE_LIMIT_VIEWER: 'off',
  RATE_LIMIT_ADDRESS: 'off',
  LIMIT_TOKENS: 'off',
  LIMIT_DEPTH: 'off',
  LIMIT_ALIASES: 'off',
  LIMIT_ROOT_FIELDS: 'off',
  LIMIT_DIRECTIVES: 'off',
  LIMIT_COST: 'off',
};
// Real quotas, high enough that the load stays below them.
const highQuotas = { RATE_LIMIT_VIEWER: '999999999999/60', RATE_LIMIT_ADDRESS: '999999999999/60' };

interface Side {
  server: ServerProcess;
  headers: Record<string, string>;
}

/**
 * What access, limits and rate limits cost: CPU per request of a server with all of it (tokens, limits, quotas in Redis)
 * against one with all of it off, in turns, on the four queries. Fails above 1.15 times.
 */
export async function benchProtection(): Promise<void> {
  const [database, redis, issuer] = await Promise.all([
    startBenchDatabase(features),
    startTestRedis(),
    createTestIssuer('EdDSA'),
  ]);
  const servers: ServerProcess[] = [];
  try {
    const { userId, organizationId } = database;
    // A server with Redis would answer from its cache.
    const base = { DATABASE_URL: database.url, DATA_DIR: database.dataDir, RESPONSE_CACHE_BYTES: '0' };
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    const token = await issuer.sign({ userId, organizationId, scopes: ['read'] }, { exp });
    const { jwksUrl, issuer: iss, audience, algorithms } = issuer.settings;
    const auth = {
      AUTH_JWKS_URL: jwksUrl,
      AUTH_ISSUER: iss,
      AUTH_AUDIENCE: audience,
      AUTH_ALGORITHMS: algorithms.join(','),
    };
    const start = async (environment: Record<string, string>) => {
      const server = await startServer(await findFreePort(), { ...base, ...environment });
      servers.push(server);
      return server;
    };
    const off: Side = { server: await start(allOff), headers: {} };
    const on: Side = {
      server: await start({ ...auth, ...highQuotas, REDIS_URL: redis.url }),
      headers: { authorization: `Bearer ${token}` },
    };
    await compare(off, on);
  } finally {
    for (const server of servers) await server.stop();
    await Promise.all([database.remove(), redis.stop(), issuer.close()]);
  }
}

async function compare(off: Side, on: Side): Promise<void> {
  const queries = await createFourQueries((query, variables) => ask(off, query, variables));
  for (const query of queries) {
    for (const side of [off, on]) await cpuPerRequest(side, query);
    const pairs: [number, number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      pairs.push([await cpuPerRequest(off, query), await cpuPerRequest(on, query)]);
    }
    const ratio = median(pairs.map(([without, withAll]) => withAll / without));
    const [without, withAll] = [median(pairs.map(([first]) => first)), median(pairs.map(([, second]) => second))];
    const verdict = ratio <= limitRatio ? 'ok' : `OVER ${limitRatio}`;
    console.log(
      `${query.name}: ${without.toFixed(0)} µs off, ${withAll.toFixed(0)} µs on, ratio ${ratio.toFixed(3)} ${verdict}`,
    );
    if (ratio > limitRatio) process.exitCode = 1;
  }
}

/** Microseconds of the server's CPU, user and system. */
async function cpuPerRequest({ server, headers }: Side, { query, variables }: BenchQuery): Promise<number> {
  const before = await cpuSeconds(server);
  const result = await autocannon({
    url: `${server.origin}/graphql`,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
    connections,
    amount: requestsPerRound,
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} answers were not 2xx, ${result.errors} failed`);
  return (((await cpuSeconds(server)) - before) * 1e6) / requestsPerRound;
}

async function cpuSeconds(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  return Number(/^process_cpu_seconds_total ([\d.e-]+)/m.exec(text)?.[1]);
}

async function ask({ server, headers }: Side, query: string, variables: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
