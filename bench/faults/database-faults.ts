import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { startCommitProxy } from './commit-proxy.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { type Figures, underLoad, type World } from './world.ts';

/** kill -9 of Postgres, three seconds without it, and a start on the same data. */
export function killPostgres(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'postgres-killed',
    act: async () => {
      await world.postgres.kill();
      await pause(3_000);
      await world.postgres.start();
      return Date.now();
    },
  });
}

/** Postgres keeps its sockets but does nothing for ten seconds. */
export function freezePostgres(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'postgres-frozen',
    act: async () => {
      world.postgres.freeze();
      await pause(10_000);
      world.postgres.thaw();
      return Date.now();
    },
  });
}

/** The server cancels every statement that takes a millisecond: from the first connection on, for the whole run. */
export function shortStatementsAtStart(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'statement-timeout-at-start',
    environment: { DATABASE_URL: `${world.postgres.url}?statement_timeout=1` },
    load: { writeEvery: 1_000_000 },
    act: async () => {
      await pause(2_000);
      return null;
    },
  });
}

/** The same for three seconds, in connections that are open. */
export function shortStatementsLater(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'statement-timeout-later',
    act: async () => {
      await setServer(world.postgres.url, `alter system set statement_timeout = '1ms'`);
      await pause(3_000);
      await setServer(world.postgres.url, 'alter system reset statement_timeout');
      return Date.now();
    },
  });
}

async function setServer(url: string, text: string): Promise<void> {
  const client = postgres(`${url}?statement_timeout=0`, { max: 1, fetch_types: false });
  try {
    await client.unsafe('set statement_timeout = 0');
    await client.unsafe(text);
    await client.unsafe('select pg_reload_conf()');
  } finally {
    await client.end();
  }
}

/** Five hundred clients on two connections: all are answered, those that cannot be served at once. */
export function smallPool(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'pool-of-2-with-500-clients',
    environment: { DATABASE_POOL: '2', DATABASE_QUEUE: '100' },
    load: { workers: 500, pauseMs: 50, writeEvery: 20 },
    act: async () => {
      await pause(5_000);
      return null;
    },
  });
}

/** The process is killed when a commit has been answered and nobody knows; five times, then the load tries again. */
export async function killBetweenCommitAndAnswer(world: World): Promise<Figures> {
  const proxy = await startCommitProxy(world.postgres.port);
  const environment = {
    ...world.environment,
    DATABASE_URL: world.postgres.url.replace(`:${world.postgres.port}/`, `:${proxy.port}/`),
  };
  let current: ServerProcess | null = null;
  try {
    const figures = await underLoad(world, {
      fault: 'killed-between-commit-and-answer',
      environment,
      act: async (server) => {
        current = server;
        const port = Number(new URL(server.origin).port);
        for (let round = 0; round < 5; round += 1) {
          const running: ServerProcess = current;
          proxy.onNextCommit(() => running.signal('SIGKILL'));
          await running.ended;
          current = await startServer(port, environment);
          await pause(500);
        }
        return null;
      },
    });
    const isRunning = (current as ServerProcess | null)?.isRunning() ?? false;
    // The first process was killed on purpose; the last one must be there.
    const complaints =
      figures.doneUnanswered >= 5 ? [] : [`only ${figures.doneUnanswered} commits were left unanswered`];
    return { ...figures, crashes: isRunning ? 0 : 1, complaints: [...figures.complaints, ...complaints] };
  } finally {
    await (current as ServerProcess | null)?.stop();
    proxy.close();
  }
}
