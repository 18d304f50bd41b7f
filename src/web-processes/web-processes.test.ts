import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRunning } from '../testing/is-running.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../testing/test-redis.ts';
import { Client, clientsOf, figure, originOf, processesOf, runServer, type ServerRun } from '../testing/web-server.ts';

const limits = { timeout: 60_000 };

describe.skipIf(!hasRedisServer())('a server of two processes', () => {
  let dataDir = '';
  let redis: TestRedis;
  let server: ServerRun;
  let origin = '';
  const web = () => processesOf(server.child.pid!, 'src/main.ts');
  const inference = () => processesOf(server.child.pid!, 'src/inference-main.ts');
  const page = async () => (await new Client(origin, false).get('/metrics')).text;
  const areServing = (count: number) =>
    expect.poll(async () => figure(await page(), 'tributary_web_processes'), { timeout: 30_000 }).toBe(count);

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tributary web '));
    redis = await startTestRedis();
    server = runServer({
      WEB_PROCESSES: '2',
      DATA_DIR: dataDir,
      REDIS_URL: redis.url,
      INFERENCE_WORKERS: '1',
      DATABASE_ANALYTICS_POOL: '20',
      DRAIN_DELAY_MS: '1500',
      // A busy machine is none of what is tested here.
      MAX_EVENT_LOOP_DELAY_MS: '60000',
    });
    origin = await originOf(server);
  }, 120_000);

  afterAll(async () => {
    server.child.kill('SIGKILL');
    await redis.stop();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  test('says once where it serves, and has one process for the models', limits, () => {
    expect(server.output().match(/GraphQL and GraphiQL at/g)).toHaveLength(1);
    expect(server.output()).toContain('by 2 processes');
    expect(server.output().match(/filled in the demo data/g)).toHaveLength(1);
    expect([web().length, inference().length]).toEqual([2, 1]);
    expect(server.output()).toMatch(/"mostConnections":123,"limit":97,.*set DATABASE_POOL lower/);
  });

  test('gives connections to both', limits, async () => {
    const pids = web();
    const clients = await Promise.all(Array.from({ length: 8 }, () => clientsOf(origin, pids)));
    expect(clients.flat().filter((client) => client === undefined)).toEqual([]);
    for (const client of clients.flat()) client.close();
  });

  test('has what one writes in the kept answers of the other at once', limits, async () => {
    const [one, other] = (await clientsOf(origin, web())) as [Client, Client];
    const query = '{ features(first: 1, orderBy: { field: CREATED_AT, direction: DESC }) { nodes { name } } }';
    const hits = async () =>
      [...(await page()).matchAll(/^tributary_cache_answers_total{tier="l1",outcome="hit".* (\d+)$/gm)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    for (let round = 0; round < 5; round++) {
      const name = `written by the other ${round}`;
      const before = await hits();
      // Not at once where Redis is late: then nothing is kept for a moment.
      const askAgain = () => one.ask(query).then(hits);
      await expect.poll(askAgain).toBeGreaterThan(before);
      await other.ask(`mutation { createFeature(input: { name: "${name}" }) { feature { id } } }`);
      expect((await one.ask(query)).data).toEqual({ features: { nodes: [{ name }] } });
    }
  });

  test('counts quotas together', limits, async () => {
    const [one, other] = (await clientsOf(origin, web())) as [Client, Client];
    const remaining = async (client: Client) =>
      Number(/;r=(\d+)/.exec(String((await client.ask('{ viewer { id } }')).headers.ratelimit))?.[1]);
    const before = await remaining(other);
    for (let times = 0; times < 30; times++) await one.ask(`{ sentiment(text: "as often as ${times}") { label } }`);
    await expect.poll(() => remaining(other)).toBeLessThan(before - 30 * 5);
  });

  test('runs the rows of both in one batch, in one process', limits, async () => {
    const [one, other] = (await clientsOf(origin, web())) as [Client, Client];
    let isOver = false;
    const repeat = async (client: Client, query: (round: number) => string) => {
      for (let round = 0; !isOver; round++) expect((await client.ask(query(round))).code).toBeUndefined();
    };
    // Each has one request for this model under way at a time, so a run of two requests is one of both processes. The other
    // model keeps the worker busy, so that rows have to wait for each other.
    const sentiment = (word: string) => (round: number) => `{ sentiment(text: "${word} ${wordsOf(round)}") { label } }`;
    const search = (name: string) => (round: number) => {
      const texts = Array.from(
        { length: 10 },
        (_, index) => `${name} ${round} ${index} ${'of many words '.repeat(20)}`,
      );
      return `{ ${texts.map((text, index) => `s${index}: searchDocuments(query: "${text}", first: 1) { score }`)} }`;
    };
    const running = [repeat(one, sentiment('love')), repeat(other, sentiment('sorry'))];
    for (const name of ['a', 'b', 'c', 'd']) running.push(repeat(new Client(origin), search(name)));
    const merged = async () => {
      const text = await page();
      const labels = 'model="sentiment",version="1",process="inference"';
      const requests = 'tributary_inference_requests_total{model="sentiment/1",status="200",process="inference"}';
      return figure(text, requests) - figure(text, `tributary_inference_batch_rows_count{${labels}}`);
    };
    const before = await merged();
    await expect.poll(merged, { timeout: 30_000 }).toBeGreaterThan(before + 5);
    isOver = true;
    await Promise.all(running);
  });

  test(
    'goes on when the process of the models is killed: predictions are refused until it is back',
    limits,
    async () => {
      const client = new Client(origin);
      const [killed] = inference();
      process.kill(killed!, 'SIGKILL');
      const outcomes = new Set<unknown>();
      let round = 0;
      const ask = async () => {
        const { data, code } = await client.ask(`{ sentiment(text: "thank you ${wordsOf(++round)}") { label } }`);
        outcomes.add(code ?? (data?.sentiment ? 'answered' : data));
        return code;
      };
      await expect.poll(ask, { timeout: 20_000 }).toBe('OVERLOADED');
      expect((await client.ask('{ sites { totalCount } }')).data).toEqual({ sites: { totalCount: 3 } });
      await expect.poll(ask, { timeout: 30_000 }).toBeUndefined();
      expect([...outcomes].toSorted()).toEqual(['OVERLOADED', 'answered']);
      expect(inference()).not.toContain(killed);
      expect(figure(await page(), 'tributary_process_exits_total{kind="inference"}')).toBe(1);
    },
  );

  test('replaces one that is killed, and what it was to take is not left waiting', limits, async () => {
    const pids = web();
    const [, other] = (await clientsOf(origin, pids)) as [Client, Client];
    const statements = async () => {
      const { text } = await other.get('/metrics');
      const counts = text.matchAll(/^tributary_statement_seconds_count{[^}]*} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await statements();
    process.kill(pids[0]!, 'SIGSTOP');
    // The figures of a process that does not answer are its last ones.
    expect(await statements()).toBeGreaterThanOrEqual(before);
    const ends: string[] = [];
    const connections = Array.from({ length: 4 }, () =>
      new Client(origin, false).get('/healthz').then(
        () => ends.push('answered'),
        (error: NodeJS.ErrnoException) => ends.push(error.code!),
      ),
    );
    await expect.poll(() => ends).toEqual(['answered', 'answered', 'answered']);
    process.kill(pids[0]!, 'SIGKILL');
    await Promise.all(connections);
    expect(ends.toSorted()).toEqual(['ECONNRESET', 'answered', 'answered', 'answered']);
    expect((await other.ask('{ sites { totalCount } }')).data).toEqual({ sites: { totalCount: 3 } });
    // What it had counted stays counted.
    expect(await statements()).toBeGreaterThanOrEqual(before);
    await areServing(2);
    expect(web()).toEqual([pids[1], expect.any(Number)]);
    expect(server.output()).toContain('a web process ended, and is replaced');
  });

  test('starts its Postgres again when that ends, and both find it', limits, async () => {
    const clients = await clientsOf(origin, web());
    const create = 'mutation { createFeature(input: { name: "written after the end" }) { feature { name } } }';
    const postmaster = Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
    process.kill(postmaster, 'SIGKILL');
    for (const client of clients) {
      // No kept answer will do for a write.
      const write = async () => (await client.ask(create)).data?.createFeature;
      await expect.poll(write, { timeout: 30_000 }).toEqual({ feature: { name: 'written after the end' } });
    }
    expect(server.output()).toContain('the embedded Postgres ended, and is started again');
  });

  test('replaces all on SIGHUP, and no request fails', { timeout: 120_000 }, async () => {
    const before = web();
    const failures: unknown[] = [];
    let [answers, isOver] = [0, false];
    const load = async (client: Client) => {
      while (!isOver) {
        try {
          const { data, status, text } = await client.ask('{ sites(first: 1) { nodes { name } } }');
          if (data?.sites) answers += 1;
          else failures.push(`${status} ${text}`);
        } catch (error) {
          failures.push((error as NodeJS.ErrnoException).code);
        }
        await pause(20);
      }
    };
    const kept = Array.from({ length: 6 }, () => new Client(origin));
    const readiness = new Set<number>();
    const watch = async () => {
      const client = new Client(origin);
      for (; !isOver; await pause(20)) readiness.add((await client.get('/readyz')).status);
    };
    const running = [...kept.map(load), ...Array.from({ length: 2 }, () => load(new Client(origin, false))), watch()];
    await expect.poll(() => answers).toBeGreaterThan(20);
    server.child.kill('SIGHUP');
    await expect.poll(() => web().filter((pid) => before.includes(pid)), { timeout: 100_000 }).toEqual([]);
    const atEnd = answers;
    await expect.poll(() => answers).toBeGreaterThan(atEnd + 50);
    isOver = true;
    await Promise.all(running);
    expect(failures).toEqual([]);
    expect([...readiness]).toEqual([200]);
    expect(figure(await page(), 'tributary_web_processes')).toBe(2);
  });

  test('on SIGTERM serves until load balancers have seen it, and leaves nothing behind', limits, async () => {
    const clients = await clientsOf(origin, web());
    const all = [...web(), ...inference()];
    server.child.kill('SIGTERM');
    for (const client of clients) {
      await expect.poll(async () => (await client.get('/readyz')).status, { interval: 20 }).toBe(503);
      expect((await client.ask('{ sites { totalCount } }')).data).toEqual({ sites: { totalCount: 3 } });
    }
    expect(await server.ended).toBe(0);
    expect(all.filter(isRunning)).toEqual([]);
    expect(server.output()).not.toContain('while ending');
  });
});

describe('the start of several processes', () => {
  test('ends with one line without Redis', limits, async () => {
    const { ended, output } = runServer({ WEB_PROCESSES: '2' });
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^WEB_PROCESSES is "2" without REDIS_URL: expected both, .*\n$/);
  });

  test('ends with one line when the port is taken', limits, async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const { ended, output } = runServer({ WEB_PROCESSES: '2', REDIS_URL: 'redis://127.0.0.1:1', PORT: String(port) });
    expect(await ended).toBe(1);
    expect(output()).toBe(`PORT ${port} on 127.0.0.1 is taken: stop what uses it, or set PORT\n`);
    taken.close();
  });
});

/** Another text for each number; the model knows these words, and no numbers. */
function wordsOf(number: number): string {
  const words = ['good', 'bad', 'great', 'happy', 'sad', 'nice', 'hate', 'wrong'];
  return [...number.toString(8)].map((digit) => words[Number(digit)]).join(' ');
}
