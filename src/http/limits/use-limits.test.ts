import { getIntrospectionQuery } from 'graphql';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../config.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join(' ');
const nested = (depth: number): string =>
  depth === 0 ? 'id' : `testCases(first: 1) { nodes { feature { ${nested(depth - 1)} } } }`;

const logged: Record<string, unknown>[] = [];
const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
const limitsOf = (environment: Record<string, string>) => readConfig({ NODE_ENV: 'test', ...environment }).limits;
const all = ['TOKENS', 'DEPTH', 'ALIASES', 'ROOT_FIELDS', 'DIRECTIVES', 'COST'];

let app: TestApp;
let warning: TestApp;
let unlimited: TestApp;

beforeAll(async () => {
  app = await createTestApp();
  const warned = limitsOf(Object.fromEntries(all.map((name) => [`LIMIT_${name}`, 'warn:1'])));
  warning = await createTestApp({ settings: { limits: warned }, log });
  const off = limitsOf(Object.fromEntries(all.map((name) => [`LIMIT_${name}`, 'off'])));
  unlimited = await createTestApp({ settings: { limits: off } });
});

afterAll(async () => {
  await Promise.all([app, warning, unlimited].map((each) => each.close()));
});

async function counted(from: TestApp, limit: string, mode: string): Promise<number> {
  const metric = await from.registry.getSingleMetric('tributary_limit_exceeded_total')!.get();
  return metric.values.find(({ labels }) => labels.limit === limit && labels.mode === mode)?.value ?? 0;
}

/** What a hostile document is answered, and the time it keeps the thread busy, whatever else the machine does. */
async function attack(document: string, variables: Record<string, unknown> = {}) {
  const before = process.threadCpuUsage();
  const answer = await app.query(document, variables);
  const { user, system } = process.threadCpuUsage(before);
  const [error] = answer.errors ?? [];
  return { ...answer, error, busyMs: (user + system) / 1_000 };
}

/** Nearly all of it a comment. */
const withLength = (length: number) => `{ viewer { id } }#${'x'.repeat(length - 18)}`;

describe('each limit', () => {
  test.each<[limit: string, atIt: string, overIt: string, max: number, actual: number]>([
    ['tokens', `{ viewer { ${times(1995, () => 'id')} } }`, `{ viewer { ${times(1996, () => 'id')} } }`, 2000, 2001],
    [
      'aliases',
      `{ viewer { ${times(50, (i) => `a${i}: id`)} } }`,
      `{ viewer { ${times(51, (i) => `a${i}: id`)} } }`,
      50,
      51,
    ],
    [
      'aliases',
      `{ ${times(20, (i) => `a${i}: __typename`)} }`,
      `{ viewer { ${times(51, (i) => `a${i}: __typename`)} } }`,
      50,
      51,
    ],
    ['rootFields', `{ ${times(20, () => '__typename')} }`, `{ ${times(21, () => '__typename')} }`, 20, 21],
    [
      'directives',
      `{ viewer { ${times(50, () => 'id @skip(if: false)')} } }`,
      `{ viewer { ${times(51, () => 'id @skip(if: false)')} } }`,
      50,
      51,
    ],
    ['documentLength', withLength(262_144), withLength(262_145), 262_144, 262_145],
    ['depth', `{ feature(id: "x") { ${nested(4)} name } }`, `{ feature(id: "x") { ${nested(5)} } }`, 16, 17],
  ])('%s: passes at it and refuses over it', async (limit, atIt, overIt, max, actual) => {
    const before = await counted(app, limit, 'refused');
    const fine = await app.query(atIt);
    expect(fine.errors?.filter(({ extensions }) => extensions.code === 'QUERY_TOO_COMPLEX')).toEqual(fine.errors && []);
    // Also from the parser's cache.
    for (const _ of [1, 2]) {
      const { status, error, data } = await attack(overIt);
      expect(status).toBe(400);
      expect(data).toBeUndefined();
      expect(error).toMatchObject({
        message: expect.stringMatching(new RegExp(`^expected at most ${max} [a-z ]+, got ${actual}`)),
        extensions: { code: 'QUERY_TOO_COMPLEX', limit, max, actual },
      });
    }
    expect(await counted(app, limit, 'refused')).toBe(before + 2);
  });

  test('cost: refuses before anything runs', async () => {
    app.database.takeStatements();
    const document =
      'query($n: Int) { features(first: $n) { nodes { testCases(first: $n) { nodes { feature { owner { id } } } } } } }';
    const answer = await app.query(document, { n: 100 });
    expect(answer.status).toBe(400);
    expect(answer.data).toBeUndefined();
    const actual = 1 + 100 * (1 + 1 + 100 * 3);
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'QUERY_TOO_COMPLEX', limit: 'cost', max: 20_000, actual } },
    ]);
    expect(app.database.takeStatements()).toEqual([]);
    expect((await app.query(document, { n: 5 })).errors).toBeUndefined();
  });

  test('may only warn: it passes, is counted and logged', async () => {
    logged.length = 0;
    const document = '{ a: viewer @skip(if: false) { id } b: viewer { id } }';
    const answer = await warning.query(document);
    expect(answer).toMatchObject({ status: 200, data: { a: {}, b: {} } });
    const requestId = answer.headers.get('x-request-id');
    const warnings = logged.map(({ requestId, limit, max, actual }) => ({ requestId, limit, max, actual }));
    expect(warnings).toEqual([
      { requestId, limit: 'tokens', max: 1, actual: 21 },
      { requestId, limit: 'depth', max: 1, actual: 2 },
      { requestId, limit: 'aliases', max: 1, actual: 2 },
      { requestId, limit: 'rootFields', max: 1, actual: 2 },
      { requestId, limit: 'cost', max: 1, actual: 2 },
    ]);
    expect(await counted(warning, 'depth', 'warned')).toBe(1);
    expect(await counted(warning, 'depth', 'refused')).toBe(0);
  });

  test('may be off', async () => {
    const { errors } = await unlimited.query(`{ ${times(300, (i) => `a${i}: viewer { id }`)} }`);
    expect(errors).toBeUndefined();
  });
});

describe('bombs are answered in 100 ms of work with an error to act on', () => {
  const chain = (count: number, make: (i: number) => string) =>
    `${times(count, make)} fragment F${count} on Feature { id }`;
  test.each<[name: string, document: string, code: string]>([
    [
      '2^30 fragments',
      `{ feature(id: "x") { ...F0 } } ${chain(30, (i) => `fragment F${i} on Feature { ...F${i + 1} ...F${i + 1} }`)}`,
      'BAD_USER_INPUT',
    ],
    [
      '2^30 fields through fragments',
      `{ feature(id: "x") { ...F0 } } ${chain(30, (i) => `fragment F${i} on Feature { testCases { nodes { feature { ...F${i + 1} } } } deployments { nodes { feature { ...F${i + 1} } } } }`)}`,
      'QUERY_TOO_COMPLEX',
    ],
    ['100^5 rows', `{ feature(id: "x") { ${nested(4).replaceAll('first: 1)', 'first: 100)')} } }`, 'QUERY_TOO_COMPLEX'],
    [
      'a cycle',
      '{ ...A } fragment A on Query { viewer { id } ...B } fragment B on Query { ...A }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'a dense cycle',
      `{ feature(id: "x") { ...F0 } } ${times(18, (i) => `fragment F${i} on Feature { ${times(18, (j) => `...F${j}`)} testCases { nodes { feature { ${times(18, (j) => `...F${j}`)} } } } }`)}`,
      'QUERY_TOO_COMPLEX',
    ],
    ['aliases', `{ ${times(400, (i) => `a${i}: viewer { id }`)} }`, 'QUERY_TOO_COMPLEX'],
    ['aliases of __typename', `{ ${times(660, (i) => `a${i}: __typename`)} }`, 'QUERY_TOO_COMPLEX'],
    ['directives', `{ __typename ${times(1990, () => '@a')} }`, 'QUERY_TOO_COMPLEX'],
    [
      'duplicate fields',
      `{ viewer { ${times(490, () => 'id')} } ${times(15, () => `features { nodes { ${times(30, () => 'owner { id }')} } }`)} }`,
      'QUERY_TOO_COMPLEX',
    ],
    [
      'one field with a selection 390 times',
      `{ features { nodes { ${times(390, () => 'owner { id name }')} } } }`,
      'QUERY_TOO_COMPLEX',
    ],
    [
      'duplicate fields in fragments',
      `{ feature(id: "x") { ${times(210, (i) => `...F${i}`)} } } ${times(210, (i) => `fragment F${i} on Feature { owner { id } }`)}`,
      'QUERY_TOO_COMPLEX',
    ],
    ['deep nesting', `{ ${'a { '.repeat(600)} b ${'} '.repeat(600)} }`, 'QUERY_TOO_COMPLEX'],
    [
      'deep values',
      `{ features(filter: ${'['.repeat(900)}${']'.repeat(900)}) { totalCount } }`,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['a million tokens', `{ ${'a '.repeat(1_000_000)} }`, 'QUERY_TOO_COMPLEX'],
    ['unknown names', `{ ${times(1900, (i) => `feeature${i}`)} }`, 'QUERY_TOO_COMPLEX'],
    ['unknown fields', `{ viewer { ${times(1900, (i) => `nname${i}`)} } }`, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'many operations',
      `${times(300, (i) => `query Q${i} { ...A }`)} fragment A on Query { viewer { id } }`,
      'BAD_USER_INPUT',
    ],
  ])('%s', async (_name, document, code) => {
    // The first answer of a process compiles code, which is no matter of the document.
    await attack('{ viewer { id } }');
    const { error, status, busyMs } = await attack(document);
    if (code === 'QUERY_TOO_COMPLEX') expect(status).toBe(400);
    expect(error?.extensions.code, error?.message).toBe(code);
    expect(busyMs).toBeLessThan(100);
  });

  test('a long cycle, where depth is not limited', async () => {
    const next = (i: number) => `...F${(i + 1) % 80} ...F${(i + 2) % 80}`;
    const cycle = times(80, (i) => `fragment F${i} on Feature { testCases { nodes { feature { ${next(i)} } } } }`);
    const { errors } = await unlimited.query(`{ feature(id: "x") { ...F0 } } ${cycle}`);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('Cannot spread fragment'),
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
  });

  test('huge lists by variables', async () => {
    const ids = Array.from({ length: 200_000 }, () => 'x');
    const nodes = await attack('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
    expect(nodes.error?.extensions).toMatchObject({ code: 'QUERY_TOO_COMPLEX', limit: 'cost', actual: 200_000 });
    const few = await attack('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ids.slice(0, 101) });
    expect(few.error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    const first = await attack('query($n: Int) { features(first: $n) { nodes { id } } }', { n: 2_147_483_647 });
    expect(first.error).toMatchObject({ path: ['features'], extensions: { code: 'BAD_USER_INPUT' } });
    expect(Math.max(nodes.busyMs, few.busyMs, first.busyMs)).toBeLessThan(100);
  });

  test('names as long as a body are not sent back whole', async () => {
    const name = 'x'.repeat(1_000_000);
    for (const document of [`{ ${name} }`, `{ viewer { id } ${name}`, `{ feature(id: ${name}) { id } }`]) {
      const { errors } = await app.query(document);
      expect(JSON.stringify(errors).length).toBeLessThan(2_000);
    }
    const { errors } = await app.query('query($i: CreateFeatureInput!) { __typename }', { i: { [name]: 1, name } });
    expect(JSON.stringify(errors).length).toBeLessThan(5_000);
  });
});

describe('the cost', () => {
  test('is told when the client asks', async () => {
    const ask = async (header: Record<string, string>, query: string) => {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...header },
        body: JSON.stringify({ query }),
      };
      return (await (await app.fetch('/graphql', init)).json()) as { data: unknown; extensions?: unknown };
    };
    const query = '{ features(first: 7) { nodes { id } } }';
    expect((await ask({ 'x-cost': 'report' }, query)).extensions).toEqual({ cost: { requested: 8, max: 20_000 } });
    expect((await ask({}, query)).extensions).toBeUndefined();
    expect((await ask({ 'x-cost': 'yes' }, query)).extensions).toBeUndefined();
  });

  test('is observed', async () => {
    const countOf = async () => {
      const { values } = await app.registry.getSingleMetric('tributary_operation_cost')!.get();
      return (
        values.find((value) => 'metricName' in value && value.metricName === 'tributary_operation_cost_count')?.value ??
        0
      );
    };
    const before = await countOf();
    await app.query('{ viewer { id } }');
    expect(await countOf()).toBe(before + 1);
  });
});

test('introspection as GraphiQL asks for it passes', async () => {
  const { status, errors } = await app.query(getIntrospectionQuery());
  expect({ status, errors }).toEqual({ status: 200, errors: undefined });
});

test('array batching is off', async () => {
  const body = JSON.stringify([{ query: '{ viewer { id } }' }, { query: '{ viewer { id } }' }]);
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
});
