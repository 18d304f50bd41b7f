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

/** Small windows are many: each has more of what is not the request's own, and some of them nothing of it. */
const windowsOf = (requests: number): number => (requests < 50 ? 20 : 5);
/** What a window is to see: so much that a reading's own share is small, and no more requests than that takes. */
const windowWork = { calls: 400_000, allocatedBytes: 15_000_000 };
const usualMost = { work: 100, allocations: 400 };
/** For the first look at a request, when all its code has run and caches are full. */
const warmUpRequests = 20;
const statementRequests = 10;
/** Records in batches, after the requests that they are of. */
const backgroundStatements = ['insertPredictions'];

export async function countOperation(
  { request, mostRequests: most = usualMost }: CountedOperation,
  { work, allocations }: CountedServers,
): Promise<OperationCounts> {
  const { promises, calls, characters } = await countLeast(work, request, { figure: 'calls', most: most.work });
  const { allocatedBytes } = await countLeast(allocations, request, {
    figure: 'allocatedBytes',
    most: most.allocations,
  });
  return { statements: await countStatements(work, request), promises, calls, characters, allocatedBytes };
}

/** The statements for each number of rows. */
export async function countStatementsBySize(
  { sizes }: CountedOperation,
  server: CountedServer,
): Promise<Map<number, Record<string, number>>> {
  const bySize = new Map<number, Record<string, number>>();
  for (const [rows, request] of sizes) bySize.set(rows, await countStatements(server, request));
  return bySize;
}

/**
 * Timers and background work only ever add something, so the least of the windows is nearest to the request's own.
 * @param options which figure says how many requests a window has, and how many at most
 */
async function countLeast(
  server: CountedServer,
  request: CountedRequest,
  { figure, most }: { figure: keyof typeof windowWork; most: number },
): Promise<ProbeReading> {
  await countWindow(server, request, Math.min(most, warmUpRequests));
  const [idle, busy] = [[await countWindow(server, request, 0)], [await countWindow(server, request, 4)]];
  const requests = Math.min(most, Math.ceil(windowWork[figure] / (busy[0]![figure] / 4)));
  busy.length = 0;
  for (let window = 0; window < windowsOf(requests); window += 1) {
    idle.push(await countWindow(server, request, 0));
    busy.push(await countWindow(server, request, requests));
  }
  const least = (readings: readonly ProbeReading[], of: keyof ProbeReading) =>
    Math.min(...readings.map((reading) => reading[of]));
  const perRequest = (of: keyof ProbeReading) => Math.round((least(busy, of) - least(idle, of)) / requests);
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

/** What runs less than once in a request is of the background. */
async function countStatements(server: CountedServer, request: CountedRequest): Promise<Record<string, number>> {
  await server.send(request);
  const before = await server.countStatements();
  for (let sent = 0; sent < statementRequests; sent += 1) await server.send(request);
  const after = await server.countStatements();
  const counts = [...after].map(
    ([name, count]) => [name, Math.floor((count - (before.get(name) ?? 0)) / statementRequests)] as const,
  );
  const own = counts.filter(([name, count]) => count > 0 && !backgroundStatements.includes(name));
  return Object.fromEntries(own.sort(([a], [b]) => (a < b ? -1 : 1)));
}
