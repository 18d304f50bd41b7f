/** A server on data of one size, asked at random places of them, and what a request costs it and its Postgres. */
import postgres from 'postgres';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import { createRandom } from '../../src/seed/random.ts';
import { watchPostgresCpu } from '../postgres-cpu.ts';
import { cpuSeconds } from '../process-cpu.ts';
import { percentile } from '../statistics.ts';
import { type BenchDatabase, startBenchDatabase } from '../suite/bench-database.ts';
import { Connection } from '../suite/connection.ts';
import { type OwnServer, startOwnServer } from '../suite/own-server.ts';
import { untilIdle } from '../suite/until-idle.ts';
import { outcomeOf } from './outcome.ts';
import { requestText } from './request-text.ts';

export interface GrowthQuery {
  readonly name: string;
  readonly query: string;
  readonly variables: (place: Place) => object;
}

/** Somewhere in the list of features. */
export interface Place {
  readonly id: string;
  readonly cursor: string;
}

/** Medians of the latency, and CPU of each request in microseconds. */
export interface Cost {
  readonly ownMicroseconds: number;
  readonly postgresMicroseconds: number;
  readonly p50Ms: number;
}

export interface GrowthServer {
  readonly scale: number;
  readonly server: OwnServer;
  /** As many requests, at places of their own. */
  measure(query: GrowthQuery, requests: number): Promise<Cost>;
  /** Of an answer, on average over places: items of lists, however deep. */
  meanRows(query: GrowthQuery): Promise<number>;
  stop(): Promise<void>;
}

const connections = 8;
/**
 * Of the largest database, what its queries touch: a million features take 1.4 GB, and Postgres' default of 128 MB, meant for
 * a start on any machine, would count what it reads from the system's cache as growth.
 */
const sharedBuffers = '2GB';
const placeCount = 1_000;
const countedPlaces = 100;
/** A page of this many is to be full wherever it begins. */
const largestPage = 100;

/** Seeds so many features, the rest in proportion, in a folder that goes with it. */
export async function startGrowthServer(scale: number): Promise<GrowthServer> {
  // In the order in which they are there; undone the other way round.
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  };
  try {
    const database = await startBenchDatabase(scale, undefined, { shared_buffers: sharedBuffers });
    ends.push(database.remove);
    const server = await startOwnServer(database);
    ends.push(server.stop);
    const client = postgres(database.url, { max: 1, fetch_types: false });
    ends.push(() => client.end());
    const places = await findPlaces(client, database, server);
    await untilIdle(server.pid);
    return {
      scale,
      server,
      measure: (query, requests) => measure({ server, client, places }, query, requests),
      meanRows: async (query) => {
        let rows = 0;
        for (const place of places.slice(0, countedPlaces)) {
          rows += countRows(await server.ask(query.query, query.variables(place)));
        }
        return rows / countedPlaces;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function findPlaces(
  client: postgres.Sql,
  { organizationId }: BenchDatabase,
  server: OwnServer,
): Promise<Place[]> {
  const rows = await client<{ id: string; until: string }[]>`
    select id, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as until
    from (
      select id, created_at from (
        select id, created_at from features where organization_id = ${organizationId}
        order by created_at, features.id offset ${largestPage}
      ) as inner_ones order by random() limit ${placeCount}
    ) as picked`;
  const query = `query ($range: TimeRange!) {
    features(first: 1, filter: { createdAt: $range }) { edges { cursor } } }`;
  const places: Place[] = [];
  for (const { id, until } of rows) {
    const range = { from: '2000-01-01T00:00:00Z', to: until };
    const { features } = (await server.ask(query, { range })) as { features: { edges: { cursor: string }[] } };
    places.push({ id: encodeGlobalId('Feature', id), cursor: features.edges[0]!.cursor });
  }
  return places;
}

function countRows(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? value.length : 0;
  return Object.values(value).reduce<number>((sum, each) => sum + countRows(each), own);
}

interface Measuring {
  readonly server: OwnServer;
  readonly client: postgres.Sql;
  readonly places: readonly Place[];
}

async function measure({ server, client, places }: Measuring, query: GrowthQuery, requests: number): Promise<Cost> {
  const random = createRandom('growth');
  const token = server.headers.authorization!.slice('Bearer '.length);
  const next = () =>
    requestText({
      method: 'POST',
      path: '/graphql',
      body: JSON.stringify({ query: query.query, variables: query.variables(random.pick(places)) }),
      token,
    });
  const postgresSeconds = await watchPostgresCpu(client);
  const before = cpuSeconds(server.pid);
  const latenciesMs = await askAll(Number(new URL(server.origin).port), next, requests);
  return {
    ownMicroseconds: ((cpuSeconds(server.pid) - before) * 1e6) / requests,
    postgresMicroseconds: (postgresSeconds() * 1e6) / requests,
    p50Ms: percentile(latenciesMs, 0.5),
  };
}

/**
 * Each connection sends its next request when it has the answer to the last.
 * @throws Error when one is not right
 */
async function askAll(port: number, next: () => string, requests: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  let sent = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = new Connection(port);
      while (sent++ < requests) latenciesMs.push(await ask(connection, next()));
      connection.close();
    }),
  );
  return latenciesMs;
}

function ask(connection: Connection, request: string): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    connection.send(request, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome === 'ok') resolve(performance.now() - startMs);
      else reject(new Error(`${outcome}: ${answer?.body().slice(0, 300)}`));
    });
  });
}
