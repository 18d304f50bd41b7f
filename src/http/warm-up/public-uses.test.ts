import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRedis, type Redis } from '../../redis/client.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../../testing/test-redis.ts';
import { parseManifest, sha256Of } from '../trusted-documents/manifest.ts';
import { indexDocuments } from '../trusted-documents/trusted-documents.ts';
import { PublicUses, usesKeyPrefix } from './public-uses.ts';

const text = 'query A($n: Int) { __typename @skip(if: false) }';
const documents = indexDocuments(parseManifest(JSON.stringify({ a: text })));
const used = (n: number) => ({ sha256: sha256Of(text), variables: { n } });

describe.skipIf(!hasRedisServer())('the most used variables', () => {
  let server: TestRedis;
  let redis: Redis;
  const open: (() => unknown)[] = [];

  beforeEach(async () => {
    server = await startTestRedis();
    open.push(server.stop);
    redis = createRedis({ url: server.url, log: pino({ level: 'silent' }), registry: new Registry() });
    open.push(redis.close);
    await vi.waitFor(() => expect(redis.isUp).toBe(true), { timeout: 10_000 });
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    for (const close of open.splice(0).reverse()) await close();
  });

  /** Of one process. Reports when it is told to. */
  const learn = () => {
    const uses = new PublicUses({ redis, documents, reportMs: 3_600_000 });
    open.push(() => uses.close());
    return uses;
  };
  const use = (uses: PublicUses, n: number, times: number) => {
    const counted = uses.of(text, `{"n":${n}}`)!;
    for (let time = 0; time < times; time++) counted.add();
    return counted;
  };

  test('are those of all processes, most first, whichever place they are counted at', async () => {
    const [one, other] = [learn(), learn()];
    use(one, 1, 3);
    use(one, 2, 3);
    use(other, 2, 2);
    use(one, 2, 1);
    const third = use(other, 3, 1);
    await Promise.all([one.report(), other.report()]);
    expect(await one.most(10)).toEqual([used(2), used(1), used(3)]);
    // What was counted is not counted again, and goes on to be counted.
    for (let time = 0; time < 4; time++) third.add();
    await Promise.all([one.report(), other.report()]);
    expect(await other.most(2)).toEqual([used(2), used(3)]);
  });

  test('take no command of Redis for a use', async () => {
    const run = vi.spyOn(redis, 'run');
    const uses = learn();
    for (let n = 0; n < 300; n++) use(uses, n, 10);
    expect(run).toHaveBeenCalledTimes(0);
    await uses.report();
    expect(run).toHaveBeenCalledTimes(1);
    await uses.report();
    expect(run).toHaveBeenCalledTimes(1);
  });

  test('are of trusted documents only, and not with long variables', () => {
    const uses = learn();
    expect(uses.of(`${text} `, '{}')).toBeNull();
    expect(uses.of(text, `{"n":"${'x'.repeat(1_024)}"}`)).toBeNull();
    expect(uses.of(text, '{}')).not.toBeNull();
  });

  test('are bounded, in a report and in Redis, and those used most stay', async () => {
    const uses = learn();
    for (let report = 0; report < 4; report++) {
      for (let n = 0; n < 600; n++) use(uses, report * 1_000 + n, n === 7 ? 50 : n < 100 ? 1 : 2);
      await uses.report();
    }
    const [key] = await redis.run((client) => client.keys(`${usesKeyPrefix}*`));
    expect(await redis.run((client) => client.zCard(key!))).toBe(1_000);
    expect(await redis.run((client) => client.ttl(key!))).toBeGreaterThan(86_400);
    expect((await uses.most(4)).map(({ variables }) => Number(variables.n) % 1_000)).toEqual([7, 7, 7, 7]);
  });

  test('of yesterday are known, those of the day before are not', async () => {
    const uses = learn();
    const now = Date.now();
    const days = vi.spyOn(Date, 'now');
    for (const [daysAgo, times] of [
      [2, 9],
      [1, 4],
      [0, 3],
    ] as const) {
      days.mockReturnValue(now - daysAgo * 86_400_000);
      use(uses, daysAgo, times);
      if (daysAgo < 2) use(uses, 5, times);
      await uses.report();
    }
    expect(await uses.most(10)).toEqual([used(5), used(1), used(0)]);
  });

  test('are nothing but what is there in Redis in the form of one', async () => {
    const sha256 = sha256Of(text);
    const values = ['x', `${sha256} [1]`, `${sha256} {"n":`, `${sha256} {"n":1}`, '{} {}'];
    const key = usesKeyPrefix + new Date().toISOString().slice(0, 10);
    await redis.run((client) =>
      client.zAdd(
        key,
        values.map((value) => ({ value, score: 1 })),
      ),
    );
    expect(await learn().most(10)).toEqual([used(1)]);
  });

  test('are none while Redis is away, and nothing fails', async () => {
    const uses = learn();
    await server.kill();
    await vi.waitFor(() => expect(redis.isUp).toBe(false), { timeout: 10_000 });
    const counted = use(uses, 1, 1);
    await uses.report();
    expect(await uses.most(10)).toEqual([]);
    await server.start();
    await vi.waitFor(() => expect(redis.isUp).toBe(true), { timeout: 10_000 });
    counted.add();
    await uses.close();
    expect(await uses.most(10)).toEqual([used(1)]);
  });
});
