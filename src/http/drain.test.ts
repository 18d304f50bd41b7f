import { Agent, request as httpRequest, type Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createDrain, type Drain } from './drain.ts';
import { listen } from './listener.ts';
import { openRaw, type RawConnection } from './testing-socket.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** `/now` answers at once, `/MS` after so many milliseconds, `/begun` has sent its head and ends after 300 ms. */
async function serve(): Promise<{ server: Server; port: number; drain: Drain }> {
  const { server, port } = await listen(
    (request, response) => {
      const path = request.url!.slice(1);
      if (path === 'now') return void response.end('now');
      if (path === 'begun') response.write('begun');
      setTimeout(() => response.end('done'), path === 'begun' ? 300 : Number(path));
    },
    '127.0.0.1',
    0,
  );
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port, drain: createDrain(server) };
}

async function openKept(port: number): Promise<RawConnection> {
  const raw = await openRaw(port);
  raw.socket.write(get('/now'));
  await raw.received(/now$/);
  expect(raw.text()).toMatch(/connection: keep-alive/i);
  return raw;
}

describe('the end of a server', () => {
  test('closes idle connections after a grace, and resolves with 0', async () => {
    const { port, drain } = await serve();
    const [kept, untouched] = [await openKept(port), await openRaw(port)];
    const startedAt = performance.now();
    expect(await drain.begin({ graceMs: 200, timeoutMs: 5_000 })).toBe(0);
    const elapsedMs = performance.now() - startedAt;
    expect(elapsedMs).toBeGreaterThan(190);
    expect(elapsedMs).toBeLessThan(2_500);
    await Promise.all([kept.closed(), untouched.closed()]);
  });

  test('answers a request that still comes on a kept connection, and tells it to go', async () => {
    const { port, drain } = await serve();
    const kept = await openKept(port);
    const drained = drain.begin({ graceMs: 500, timeoutMs: 5_000 });
    await wait(50);
    kept.socket.write(get('/100'));
    expect(await kept.closed()).toMatch(/connection: close[\s\S]*done$/i);
    expect(await drained).toBe(0);
  });

  test('finishes what is in flight, also when it takes longer than the grace', async () => {
    const { port, drain } = await serve();
    const [pending, begun] = [await openKept(port), await openKept(port)];
    pending.socket.write(get('/400'));
    begun.socket.write(get('/begun'));
    await begun.received(/begun/);
    const startedAt = performance.now();
    expect(await drain.begin({ graceMs: 50, timeoutMs: 5_000 })).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(await pending.closed()).toMatch(/connection: close[\s\S]*done$/i);
    expect(await begun.closed()).toMatch(/begun[\s\S]*done/);
  });

  test('takes no new connections', async () => {
    const { port, drain } = await serve();
    const kept = await openKept(port);
    const drained = drain.begin({ graceMs: 300, timeoutMs: 5_000 });
    await expect(openRaw(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await drained;
    await kept.closed();
  });

  test('cuts off what takes longer than the limit, and says how many', async () => {
    const { port, drain } = await serve();
    const stuck = [await openKept(port), await openKept(port)];
    for (const { socket } of stuck) socket.write(get('/60000'));
    await wait(50);
    expect(await drain.begin({ graceMs: 50, timeoutMs: 300 })).toBe(2);
    await Promise.all(stuck.map((raw) => raw.closed()));
  });

  test('waits no longer than it must', async () => {
    const { drain } = await serve();
    const startedAt = performance.now();
    expect(await drain.begin({ graceMs: 5_000, timeoutMs: 10_000 })).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('clients under load while a server ends', () => {
  test('see no reset: what was sent on an open connection is answered', async () => {
    const { port, drain } = await serve();
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    ends.push(() => agent.destroy());
    const answers: string[] = [];
    const failures: string[] = [];
    const ask = () =>
      new Promise<boolean>((resolve) => {
        const request = httpRequest(
          { port, host: '127.0.0.1', path: `/${Math.floor(Math.random() * 5)}`, agent },
          (response) => {
            response.resume();
            response.on('end', () => {
              answers.push('ok');
              resolve(true);
            });
          },
        );
        request.on('error', (error: NodeJS.ErrnoException) => {
          // A new connection that is refused is what a balancer never makes; a reused one must not fail.
          if (error.code !== 'ECONNREFUSED') failures.push(`${error.code} reused=${request.reusedSocket}`);
          resolve(false);
        });
        request.end();
      });
    const client = async () => {
      while (await ask());
    };
    const clients = Array.from({ length: 50 }, client);
    await wait(300);
    expect(await drain.begin({ graceMs: 300, timeoutMs: 5_000 })).toBe(0);
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(answers.length).toBeGreaterThan(50);
  });
});
