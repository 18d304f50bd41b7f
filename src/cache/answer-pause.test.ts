import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createPool } from '../db/pool.ts';
import { findFreePort } from '../testing/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { AnswerPause } from './answer-pause.ts';

let database: TestDatabase;
/** A machine that is busy with other tests is no database that is away. */
const patient = { checkTimeoutMs: 10_000 };

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
});

afterAll(() => database.drop());

const namesOf = (statements: readonly { name: string }[]) => statements.map(({ name }) => name);

describe('a pause', () => {
  test('was seen by every process that asks all the time, before it is acknowledged', async () => {
    const [holder, asking] = [new AnswerPause(database.pool, patient), new AnswerPause(database.pool, patient)];
    let isHeld = false;
    const seen = (async () => {
      while (!isHeld) {
        if (await asking.isPaused()) return 'seen before';
        await new Promise(setImmediate);
      }
      return 'not seen';
    })();
    await holder.hold();
    isHeld = true;
    expect(await seen).toBe('seen before');
    expect(await holder.isPaused()).toBe(false);
    await holder.release();
    await expect.poll(() => asking.isPaused()).toBe(false);
  });

  test('that is held takes no further statement, and one that is over is written again', async () => {
    const holder = new AnswerPause(database.pool, patient);
    database.takeStatements();
    await Promise.all([holder.hold(), holder.hold()]);
    await holder.hold();
    expect(namesOf(database.takeStatements())).toEqual(['holdAnswerPause']);
    await holder.release();
    await holder.release();
    await holder.hold();
    expect(namesOf(database.takeStatements())).toEqual(['endAnswerPause', 'holdAnswerPause']);
    await holder.release();
  });

  test('ends by itself when nobody renews it', async () => {
    const [holder, asking] = [new AnswerPause(database.pool, patient), new AnswerPause(database.pool, patient)];
    await holder.hold();
    expect(await asking.isPaused()).toBe(true);
    // As if its process had been killed 10 s ago.
    const text = `update answer_pauses set ends_at = now() - interval '1 millisecond'`;
    await database.pool.run({ name: 'elapse', text, isPrepared: false }, []);
    await expect.poll(() => asking.isPaused()).toBe(false);
  });

  test('is asked about once for many requests', async () => {
    const asking = new AnswerPause(database.pool, patient);
    database.takeStatements();
    await Promise.all(Array.from({ length: 100 }, () => asking.isPaused()));
    for (let times = 0; times < 100; times++) await asking.isPaused();
    const statements = namesOf(database.takeStatements());
    expect(new Set(statements)).toEqual(new Set(['hasAnswerPause']));
    // One; another where this took longer than 200 ms.
    expect(statements.length).toBeLessThan(5);
  });

  test('holds nobody up whose database is away, and cannot be held there', async () => {
    const connection = { ...database.connection, port: await findFreePort() };
    const away = new AnswerPause(createPool({ connection, size: 1 }));
    expect(await away.isPaused()).toBe(false);
    await expect(away.hold()).rejects.toThrow();
  });
});
