import type { CountedOperation } from './counted-operations.ts';
import type { CountedRequest, CountedServer } from './counted-server.ts';
import type { ProbeReading } from './counts-probe.ts';

/** What one request takes. */
export interface OperationCounts {
  /** How often each runs; what runs in the background is left out. */
  statements: Record<string, number>;
  promises: number;
  calls: number;
  /** Of source, each as often as it ran. */
  characters: number;
  allocatedBytes: number;
}

/** The same servers in two ways, as the counters of work allocate too. */
export interface CountedServers {
  work: CountedServer;
  allocations: CountedServer;
}

/** Until all code has run once and caches are full. */
const warmUpRequests = 40;
const windows = 7;
const windowRequests = { work: 15, allocations: 30 };
/** Of those that write, each of which makes the next one's data. */
const writeWindowRequests = { work: 6, allocations: 6 };
const sizeRequests = 8;

export async function countOperation(
  { request }: CountedOperation,
  { work, allocations }: CountedServers,
): Promise<OperationCounts> {
  const isWrite = request.body?.includes('"mutation ') ?? false;
  const requests = isWrite ? writeWindowRequests : windowRequests;
  const { promises, calls, characters } = await countLeast(work, request, requests.work);
  const { allocatedBytes } = await countLeast(allocations, request, requests.allocations);
  const statements = await countStatements(work, request, isWrite ? writeWindowRequests.work : windowRequests.work);
  return { statements, promises, calls, characters, allocatedBytes };
}

/** The statements for each number of rows. */
export async function countStatementsBySize(
  { sizes }: CountedOperation,
  server: CountedServer,
): Promise<Map<number, Record<string, number>>> {
  const bySize = new Map<number, Record<string, number>>();
  for (const [rows, request] of sizes) bySize.set(rows, await countStatements(server, request, sizeRequests));
  return bySize;
}

/** Timers and background work only ever add something, so the least of the windows is nearest to the request's own. */
async function countLeast(server: CountedServer, request: CountedRequest, requests: number): Promise<ProbeReading> {
  for (let sent = 0; sent < warmUpRequests; sent += 1) await server.send(request);
  const idle: ProbeReading[] = [];
  const busy: ProbeReading[] = [];
  for (let window = 0; window < windows; window += 1) {
    idle.push(await countWindow(server, request, 0));
    busy.push(await countWindow(server, request, requests));
  }
  const least = (readings: readonly ProbeReading[], figure: keyof ProbeReading) =>
    Math.min(...readings.map((reading) => reading[figure]));
  const perRequest = (figure: keyof ProbeReading) => Math.round((least(busy, figure) - least(idle, figure)) / requests);
  return {
    promises: perRequest('promises'),
    calls: perRequest('calls'),
    characters: perRequest('characters'),
    allocatedBytes: perRequest('allocatedBytes'),
  };
}

/** Of none it is what the reading itself takes. */
async function countWindow(server: CountedServer, request: CountedRequest, requests: number): Promise<ProbeReading> {
  const before = await server.read();
  for (let sent = 0; sent < requests; sent += 1) await server.send(request);
  const after = await server.read();
  return { ...after, allocatedBytes: after.allocatedBytes - before.allocatedBytes };
}

/** Those that run less than once in two requests belong to none of them: records in batches, polls of the background. */
async function countStatements(
  server: CountedServer,
  request: CountedRequest,
  requests: number,
): Promise<Record<string, number>> {
  await server.send(request);
  const before = await server.countStatements();
  for (let sent = 0; sent < requests; sent += 1) await server.send(request);
  const after = await server.countStatements();
  const counts = [...after].map(
    ([name, count]) => [name, Math.round((count - (before.get(name) ?? 0)) / requests)] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}
