import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import type { ServerProcess } from './server-process.ts';
import { type Figures, underLoad, type World } from './world.ts';

const slowQuery = JSON.stringify({
  query:
    '{ features(first: 100) { totalCount nodes { testSummary { total } testCases(first: 50) { totalCount nodes { name } } } } }',
});

/** Two thousand clients that go away before the answer; nothing of theirs may run on. */
export async function leavingClients(world: World): Promise<Figures> {
  let atWork = -1;
  const figures = await underLoad(world, {
    fault: 'clients-leave',
    act: async (server) => {
      for (let round = 0; round < 40; round += 1) {
        await Promise.all(Array.from({ length: 50 }, (_, index) => askAndLeave(server, index % 10)));
      }
      await pause(1_000);
      atWork = await statementsAtWork(world.postgres.url);
      return Date.now();
    },
  });
  const complaints = atWork > 4 ? [`${atWork} statements were still at work a second later`] : [];
  return { ...figures, complaints: [...figures.complaints, ...complaints] };
}

async function askAndLeave(server: ServerProcess, afterMs: number): Promise<void> {
  const socket = await open(server);
  socket.write(head(server, slowQuery.length));
  // Some leave within the body.
  socket.write(afterMs === 3 ? slowQuery.slice(0, 20) : slowQuery);
  await pause(afterMs);
  socket.destroy();
}

/** Three hundred sockets that send a byte now and then: they are closed in time, and nobody else notices. */
export async function slowClients(world: World): Promise<Figures> {
  const limitSeconds = 45;
  let closedAfter = Number.POSITIVE_INFINITY;
  const figures = await underLoad(world, {
    fault: 'slow-headers-and-bodies',
    act: async (server) => {
      const startedAt = performance.now();
      const ends = Array.from({ length: 300 }, (_, index) => trickle(server, index % 2 === 0));
      await Promise.race([Promise.all(ends), pause(limitSeconds * 1_000)]);
      closedAfter = (performance.now() - startedAt) / 1_000;
      return Date.now();
    },
  });
  const complaints = closedAfter < limitSeconds ? [] : [`slow sockets were still open after ${limitSeconds} s`];
  return { ...figures, complaints: [...figures.complaints, ...complaints] };
}

/** Sends a byte every half second until the server has had enough. */
async function trickle(server: ServerProcess, isHead: boolean): Promise<void> {
  const socket = await open(server);
  let isClosed = false;
  socket.on('close', () => {
    isClosed = true;
  });
  socket.resume();
  socket.write(isHead ? 'POST /graphql HTTP/1.1\r\n' : head(server, 1_000));
  while (!isClosed) {
    await pause(500);
    if (!isClosed) socket.write(isHead ? 'x-slow: 1\r\n' : ' ');
  }
}

function head(server: ServerProcess, length: number): string {
  const { host } = new URL(server.origin);
  return `POST /graphql HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
}

function open(server: ServerProcess): Promise<Socket> {
  const { hostname, port } = new URL(server.origin);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(socket));
  });
}

async function statementsAtWork(url: string): Promise<number> {
  const client = postgres(url, { max: 1, fetch_types: false });
  try {
    const [row] = await client<{ count: number }[]>`
      select count(*)::integer as count from pg_stat_activity
      where state = 'active' and application_name = 'tributary'`;
    return row?.count ?? -1;
  } finally {
    await client.end();
  }
}
