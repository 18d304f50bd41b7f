import { execFileSync } from 'node:child_process';
import postgres from 'postgres';
import { driverTypes } from '../src/db/connection.ts';
import type { SharedDatabase, Statement, Value } from '../src/db/database.ts';
import { createPool } from '../src/db/pool.ts';
import { scanModelRepository } from '../src/inference/repository.ts';
import { createWorkerEngine } from '../src/inference/worker-engine.ts';
import { startTestPostgres } from '../src/testing/test-postgres.ts';
import { type BenchQuery, createFourQueries } from './four-queries.ts';
import { askInProcess, createInProcessApp, type InProcessApp } from './in-process-app.ts';
import { median } from './statistics.ts';

const features = 20_000;
const connections = 8;
const inFlight = 8;
const rounds = 9;
const requestsPerRound = 200;
const tables = ['users', 'features', 'test_cases', 'deployments', 'conversations', 'messages'];

/**
 * What row-level security would cost as a second wall: the four queries through the whole server but the socket, as the
 * tables' owner and as a role under policies, whose organization is set before each statement in the same write to the
 * socket. Requests per second of the two in turns; the database works on the same cores.
 */
export async function benchRowLevelSecurity(): Promise<void> {
  const server = await startTestPostgres();
  try {
    const args = ['src/seed/cli.ts', '--scale', String(features)];
    execFileSync(process.execPath, args, { env: { DATABASE_URL: server.url }, stdio: ['ignore', 'ignore', 'inherit'] });
    await addPolicies(server.url);
    const guardedUrl = server.url.replace('//tributary@', '//guarded@');
    const plain = createSimplePool(server.url, false);
    const guarded = createSimplePool(guardedUrl, true);
    await compare(server.url, plain, guarded);
    await Promise.all([plain.close(), guarded.close()]);
  } finally {
    await server.remove();
  }
}

async function addPolicies(url: string): Promise<void> {
  const client = postgres(url, { max: 1, fetch_types: false });
  await client.unsafe('create role guarded login; grant select on all tables in schema public to guarded');
  for (const table of tables) {
    await client.unsafe(`alter table ${table} enable row level security;
      create policy own_organization on ${table} using (organization_id = current_setting('tributary.organization_id')::uuid)`);
  }
  await client.end();
}

/** The same plain pool for both sides: a statement at a time on each connection, with its organization before it or not. */
function createSimplePool(url: string, setsOrganization: boolean): SharedDatabase & { close(): Promise<void> } {
  const open = (): postgres.Sql =>
    postgres(url, { max: 1, fetch_types: false, types: driverTypes, max_lifetime: null }) as never;
  const clients = Array.from({ length: connections }, open);
  const idle = [...clients];
  const waiting: ((client: postgres.Sql) => void)[] = [];
  const run = async <Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> => {
    const client = idle.pop() ?? (await new Promise<postgres.Sql>((resolve) => waiting.push(resolve)));
    try {
      const organization = values[statement.organizationIndex ?? -1];
      if (setsOrganization && organization !== undefined) {
        client
          .unsafe(`select set_config('tributary.organization_id', $1, false)`, [organization as string], {
            prepare: true,
          })
          .catch(() => {});
      }
      return await client.unsafe<Row[] & postgres.Row[]>(statement.text, values as never[], {
        prepare: statement.isPrepared ?? true,
      });
    } finally {
      const next = waiting.shift();
      if (next) next(client);
      else idle.push(client);
    }
  };
  const transaction = () => Promise.reject(new Error('reads only'));
  return {
    run,
    transaction,
    within: () => ({ run, transaction }),
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function compare(url: string, plain: SharedDatabase, guarded: SharedDatabase): Promise<void> {
  const owner = createPool({ connection: url, size: 1 });
  const inference = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
  const without = createInProcessApp(plain, inference, owner);
  const withPolicies = createInProcessApp(guarded, inference, owner);
  for (const query of await createFourQueries((text, variables) => askInProcess(without, text, variables))) {
    for (const app of [without, withPolicies]) await requestsPerSecond(app, query);
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const first = await requestsPerSecond(without, query);
      ratios.push(first / (await requestsPerSecond(withPolicies, query)));
    }
    console.log(`${query.name}: ${((median(ratios) - 1) * 100).toFixed(1)} % more time with row-level security`);
  }
  await inference.close();
  await owner.close();
}

async function requestsPerSecond(app: InProcessApp, { query, variables }: BenchQuery): Promise<number> {
  let left = requestsPerRound;
  const startedAt = performance.now();
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await askInProcess(app, query, variables);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return (requestsPerRound * 1_000) / (performance.now() - startedAt);
}
