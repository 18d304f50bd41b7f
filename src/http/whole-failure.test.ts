import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { badUserInput, overloaded, rateLimited, timeout, unauthenticated } from '../errors.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';

let app: TestApp;
let failure: Error | null = null;
let refusal: Error | null = null;

function failing(database: Database): Database {
  return {
    ...database,
    run: (statement, values) => (failure ? Promise.reject(failure) : database.run(statement, values)),
  };
}

beforeAll(async () => {
  app = await createTestApp({
    wrapDependencies: (given) => ({
      ...given,
      database: { ...given.database, within: (bounds) => failing(given.database.within(bounds)) },
      authenticate: (request) => {
        if (refusal) throw refusal;
        return given.authenticate(request);
      },
    }),
  });
});

beforeEach(() => {
  failure = null;
  refusal = null;
});

afterAll(() => app.close());

const whole = '{ features { totalCount } documents: searchDocuments(query: "x") { score } }';
const partial = '{ models { name } viewer { name } }';

describe('the status of a result', () => {
  test.each([
    [503, '3', overloaded('The database has too much to do', 3)],
    [504, null, timeout('too slow')],
    [429, '7', rateLimited(7)],
    [401, null, unauthenticated()],
  ])('is %i when nothing could be answered', async (status, retryAfter, error) => {
    failure = error;
    const answer = await app.query(whole);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter]);
    expect(answer.data ?? null).toBeNull();
  });

  test.each([
    [503, overloaded('full')],
    [504, timeout('late')],
    [401, unauthenticated()],
  ])('is %i when the viewer could not be known', async (status, error) => {
    refusal = error;
    const answer = await app.query(partial);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '1' : null);
  });

  test('is 200 when some of it is an answer', async () => {
    failure = overloaded('full');
    const answer = await app.query(partial);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('retry-after')).toBeNull();
    expect(answer.data).toMatchObject({ viewer: null });
    expect(answer.errors).toMatchObject([{ extensions: { code: 'OVERLOADED', retryAfterSeconds: 1 } }]);
  });

  test('is 503 when all root fields are null by themselves', async () => {
    failure = overloaded('full', 2);
    const answer = await app.query('{ a: viewer { name } b: viewer { email } }');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(answer.data).toEqual({ a: null, b: null });
  });

  test.each([
    ['an error of another kind', badUserInput({ path: 'x', message: 'bad' })],
    ['a fault of ours', new Error('broken')],
  ])('stays that of GraphQL for %s', async (_name, error) => {
    failure = error;
    expect((await app.query(whole)).status).toBe(200);
  });

  test('stays 200 when there is no error', async () => {
    expect((await app.query('{ node(id: "RmVhdHVyZTp4") { id } }')).headers.get('retry-after')).toBeNull();
    expect((await app.query(partial)).status).toBe(200);
  });
});
