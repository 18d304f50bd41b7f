import { createHmac, createPublicKey } from 'node:crypto';
import { generateKeyPair } from 'jose';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthenticator } from '../auth/authenticate.ts';
import type { Viewer } from '../context.ts';
import { errorStatus } from '../errors.ts';
import { schema } from '../schema/index.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import { type Attack, json, post } from '../testing/fuzz/attack.ts';
import { bodies, wrongWays } from '../testing/fuzz/attack-bodies.ts';
import { bombs } from '../testing/fuzz/attack-bombs.ts';
import { curiosity, names } from '../testing/fuzz/attack-names.ts';
import { largeValues } from '../testing/fuzz/attack-values.ts';
import { sqlTexts } from '../testing/fuzz/hostile-values.ts';
import { internalText } from '../testing/fuzz/judge-answer.ts';
import { listOperations, listSlots, printWithVariables, type Slot } from '../testing/schema-walk.ts';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { isCursor, plainValue } from '../testing/slot-values.ts';
import { digestTables } from '../testing/table-digest.ts';
import { createTestApp, type TestApp, viewerHeader } from '../testing/test-app.ts';
import { createTestIssuer, type TestIssuer } from '../testing/test-issuer.ts';
import { openRaw, rawPost } from './testing-socket.ts';

/** The whole server over a socket, with the settings of production, and requests that mean harm. */
const production = {
  hasGraphiql: false,
  hasIntrospection: false,
  hasSuggestions: false,
  rateLimits: { viewer: null, address: null },
};
/** What an attack may cost the cores, in the middle of its tries: of this process, so that others do not count. */
const maxCpuMs = 100;
/** What it may take, with the waiting: generous, as the cores may be busy with other tests. */
const maxDurationMs = 1_000;

let app: TestApp;
let served: ServedApp;
let viewer: Viewer;
let before: unknown;

beforeAll(async () => {
  // What inference is asked for is not kept: the rows of every table are compared.
  const predictions = { record() {} };
  app = await createTestApp({
    settings: production,
    wrapDependencies: (dependencies) => ({ ...dependencies, predictions }),
  });
  served = await serveApp(app);
  viewer = await createFullOrganization(app.database.pool, { word: 'plainword', level: 100, count: 2 });
  before = await digestTables(app.database.pool, viewer.organizationId);
  for (let round = 0; round < 20; round++)
    await send(post('', 'harmless', '{ features { nodes { id owner { name } } } }'));
});

afterAll(() => served.close());

interface Answer {
  status: number;
  text: string;
  durationMs: number;
  cpuMs: number;
}

async function send(attack: Attack, as: Viewer | null = viewer): Promise<Answer> {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const response = await fetch(`${served.origin}/graphql${attack.search ?? ''}`, {
    method: attack.method ?? 'POST',
    headers: { ...attack.headers, [viewerHeader]: JSON.stringify(as) },
    ...(attack.body !== undefined && { body: attack.body }),
  });
  const text = await response.text();
  const { user, system } = process.cpuUsage(startCpu);
  const { status } = response;
  return { status, text, durationMs: performance.now() - startMs, cpuMs: (user + system) / 1_000 };
}

/** Of five tries the cheapest: what else runs on the machine makes a try dearer, never cheaper. */
async function sendOften(attack: Attack): Promise<Answer> {
  const answers: Answer[] = [];
  for (let number = 0; number < 5; number++) answers.push(await send(withComment(attack, number)));
  return answers.toSorted((one, other) => one.cpuMs - other.cpuMs)[0]!;
}

/** Another document each time, as documents that were seen before are parsed and validated no more. */
function withComment(attack: Attack, number: number): Attack {
  if (typeof attack.body !== 'string') return attack;
  return { ...attack, body: attack.body.replace('{"query":"', `{"query":"#${number}\\n`) };
}

async function expectUnchanged(): Promise<void> {
  expect(await digestTables(app.database.pool, viewer.organizationId)).toEqual(before);
}

function expectAnswered(attack: Attack, { status, text, durationMs, cpuMs }: Answer): void {
  expect(cpuMs, `milliseconds of CPU; ${text.slice(0, 200)}`).toBeLessThan(maxCpuMs);
  expect(durationMs).toBeLessThan(maxDurationMs);
  // The answer to HEAD.
  if (text === '') {
    expect(status).toBeGreaterThanOrEqual(400);
    return;
  }
  const { data, errors = [] } = JSON.parse(text);
  const codes = errors.map(({ extensions }: { extensions: { code: string } }) => extensions.code);
  const shown = text.slice(0, 1_000);
  for (const code of codes) expect(Object.keys(errorStatus), shown).toContain(code);
  expect(codes, shown).not.toContain('INTERNAL');
  for (const { message } of errors) expect(message.length, shown).toBeLessThan(1_000);
  expectNothingInternal(attack, text);
  if (attack.expected === 'harmless') {
    expect(status, shown).toBeLessThan(500);
    return;
  }
  expect(codes, shown).not.toEqual([]);
  expect(
    Object.values(data ?? {}).filter((value) => value !== null),
    shown,
  ).toEqual([]);
  expect(data ? [200] : [200, 400, 404, 405, 406, 408, 413, 414, 415, 431], shown).toContain(status);
  if (attack.expected !== 'refused') expect(codes[0], shown).toBe(attack.expected);
}

/** Without the data, which holds what the request had written. */
function errorsOf(text: string): string {
  return text.startsWith('{"data"') ? JSON.stringify(JSON.parse(text).errors ?? []) : text;
}

/** What the request itself said may be quoted. */
function expectNothingInternal({ body, search = '' }: Attack, text: string): void {
  const leak = internalText.exec(errorsOf(text))?.[0];
  const request = `${search}${typeof body === 'string' ? body : ''}`;
  expect(leak !== undefined && !request.includes(leak) ? leak : null, text.slice(0, 1_000)).toBeNull();
}

const groups = { bombs, largeValues, bodies, wrongWays, curiosity, names };

describe.each(Object.entries(groups))('%s', (_name, attacks) => {
  test.each(attacks.map((attack) => [attack.label.slice(0, 120), attack]))('%s', async (_label, attack) => {
    expectAnswered(attack, await sendOften(attack));
  });

  test('change nothing', expectUnchanged);
});

describe('suggestions', () => {
  test('are nowhere in the answers to a stranger', async () => {
    for (const attack of curiosity) expect((await send(attack)).text, attack.label).not.toMatch(/did you mean/i);
  });
});

describe('a mutation with If-None-Match', () => {
  test.each(['*', '""', 'W/"0"'])('%s is answered as any other, never as not modified', async (etag) => {
    const attack = post('', 'refused', 'mutation { deleteFeature(input: { id: "VXNlcjox" }) { deletedId } }');
    const { status, text } = await send({ ...attack, headers: { ...json, 'if-none-match': etag } });
    expect(status).not.toBe(304);
    expect(text).toContain('BAD_USER_INPUT');
  });
});

describe('ids and cursors changed by a bit', () => {
  const page = '{ features(first: 1) { edges { cursor node { id } } } }';
  const byId = 'query ($text: ID!) { feature(id: $text) { id name } }';
  const byCursor = 'query ($text: String) { features(after: $text) { totalCount nodes { id } } }';

  test.each([
    ['id', byId],
    ['cursor', byCursor],
  ])('the %s finds nothing', async (kind, query) => {
    const { data } = JSON.parse((await send(post('', 'harmless', page))).text);
    const [edge] = data.features.edges;
    const bytes = Buffer.from(kind === 'id' ? edge.node.id : edge.cursor, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const { status, text } = await send(post('', 'refused', query, { text: changed.toString('base64url') }));
      const answer = JSON.parse(text);
      expect(status, text).toBeLessThan(500);
      expect(answer.data?.feature ?? answer.data?.features ?? null, `bit ${bit}`).toBeNull();
      expect(answer.errors?.[0].extensions.code ?? 'none', text).toMatch(/^(BAD_USER_INPUT|NOT_FOUND|none)$/);
      if (kind === 'cursor') expect(answer.errors, `bit ${bit}`).toBeDefined();
    }
  });
});

describe('SQL in every text of the schema', () => {
  const targets = listOperations(schema).flatMap((operation) =>
    [...listSlots(schema, operation, 'all').values()]
      .filter((slot) => ['String', 'ID'].includes(slot.type))
      .filter((slot) => operation.field.args.some(({ name }) => slot.path === name || slot.path.startsWith(`${name}.`)))
      .map((slot) => ({ operation, slot })),
  );

  test.each(targets.map((target) => [`${target.operation.label} ${target.slot.path}`, target]))(
    'is text in %s',
    async (_label, { operation, slot: target }) => {
      const own = await createFullOrganization(app.database.pool, { word: 'other', level: 100, count: 1 });
      for (const text of sqlTexts) {
        const value = (slot: Slot) =>
          slot.coordinate === target.coordinate
            ? text
            : slot.type === 'ID' || isCursor(slot)
              ? 'x'
              : plainValue(schema, slot, 'text');
        const includes = (coordinate: string) => coordinate === target.coordinate;
        const { document, variables } = printWithVariables(schema, operation, { includes, value });
        const answer = await send(post('', 'harmless', document, variables), own);
        expect(answer.text, text).not.toContain('INTERNAL');
        expect(answer.status, answer.text).toBeLessThan(500);
        expectNothingInternal(post('', 'harmless', document, variables), answer.text);
      }
    },
  );

  test('changes nothing of another organization', expectUnchanged);
});

describe('headers', () => {
  const query = JSON.stringify({ query: '{ nothing }' });
  test.each([
    ['an Authorization of 100 KB', rawPost(query, { authorization: `Bearer ${'x'.repeat(100_000)}` })],
    ['20,000 headers', rawPost(query, Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`x-${i}`, 'x'])))],
    ['a NUL byte', rawPost(query, { authorization: 'Bearer \u0000' })],
    ['a line feed alone', rawPost(query, { 'x-a': 'b\nx-c: d' })],
    ['a carriage return alone', rawPost(query, { 'x-a': 'b\rx-c: d' })],
    ['a folded line', rawPost(query, { 'x-a': 'b\r\n c' })],
    ['a name with a blank', rawPost(query, { 'x a': 'b' })],
    ['two lengths', rawPost(query, { 'content-length': '5\r\ncontent-length: 6' })],
    ['a length that is none', rawPost(query, { 'content-length': '-1' })],
    ['a length and chunks', rawPost(query, { 'transfer-encoding': 'chunked' })],
    [
      'chunks that are none',
      rawPost('zz\r\n', { 'content-length': '', 'transfer-encoding': 'chunked' }).replace('content-length: \r\n', ''),
    ],
    ['no host', rawPost(query).replace('host: localhost\r\n', '')],
    ['a host that is none', rawPost(query, { host: 'a b<>' })],
    ['no HTTP', 'BREW /graphql\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
  ])('with %s are refused', async (_label, bytes) => {
    const connection = await openRaw(served.port);
    connection.socket.on('error', () => {});
    connection.socket.write(bytes, 'latin1');
    const text = await connection.received(/^HTTP\/1\.1 4\d\d /);
    expect(text).not.toMatch(internalText);
    connection.socket.destroy();
    await expectUnchanged();
  });

  test('that come back hold no line of the client’s', async () => {
    const connection = await openRaw(served.port);
    connection.socket.write(
      rawPost(query, { 'x-request-id': 'a%0d%0ax-evil: 1', origin: 'null\u0085x-evil: 1', connection: 'close' }),
      'latin1',
    );
    expect(await connection.closed()).not.toMatch(/^x-evil/im);
  });
});

describe('tokens', () => {
  let issuer: TestIssuer;
  let secured: ServedApp;
  let other: Viewer;

  beforeAll(async () => {
    issuer = await createTestIssuer();
    const log = pino({ level: 'silent' });
    const securedApp = await createTestApp({
      settings: production,
      wrapDependencies: (dependencies) => {
        const auth = { mode: 'tokens' as const, ...issuer.settings };
        return {
          ...dependencies,
          authenticate: createAuthenticator({ auth, database: dependencies.database, dataDir: '', log }),
        };
      },
    });
    viewer = securedApp.viewer;
    other = await createFullOrganization(securedApp.database.pool, { word: 'secretword', level: 100, count: 1 });
    secured = await serveApp(securedApp);
  });

  afterAll(async () => {
    await secured.close();
    await issuer.close();
  });

  const ask = async (token: string | null) => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const body = JSON.stringify({ query: '{ viewer { id } features { nodes { name } } }' });
    const response = await fetch(`${secured.origin}/graphql`, {
      method: 'POST',
      headers: { ...json, ...authorization },
      body,
    });
    return { status: response.status, text: await response.text() };
  };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  /** The token with another header or payload and its old signature. */
  const forge = (token: string, header: object, claims: object) => {
    const [head, payload, signature] = token.split('.') as [string, string, string];
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
    return [encode({ ...read(head), ...header }), encode({ ...read(payload), ...claims }), signature].join('.');
  };
  const unsigned = (token: string) => `${token.slice(0, token.lastIndexOf('.'))}.`;

  const forgeries: [string, () => Promise<string>][] = [
    ['alg none', async () => unsigned(forge(await issuer.sign(viewer), { alg: 'none' }, {}))],
    ['alg None', async () => unsigned(forge(await issuer.sign(viewer), { alg: 'None' }, {}))],
    ['no signature', async () => unsigned(await issuer.sign(viewer))],
    ['the public key as an HMAC secret', async () => signWithPublicKey(issuer, await issuer.sign(viewer))],
    ['a wrong key', async () => issuer.sign(viewer, {}, { key: (await generateKeyPair('ES256')).privateKey })],
    [
      'a key of its own in its header',
      async () => forge(await issuer.sign(viewer), { jwk: issuer.key.publicJwk }, { org: other.organizationId }),
    ],
    ['a key id with a path', async () => forge(await issuer.sign(viewer), { kid: '../../etc/passwd' }, {})],
    ['a wrong audience', () => issuer.sign(viewer, { aud: 'https://other.example/' })],
    ['no audience', () => issuer.sign(viewer, { aud: undefined })],
    ['a wrong issuer', () => issuer.sign(viewer, { iss: 'https://evil.example/' })],
    ['an end in the past', () => issuer.sign(viewer, { exp: Math.floor(Date.now() / 1_000) - 3_600 })],
    ['no end', () => issuer.sign(viewer, { exp: undefined })],
    ['a begin in the future', () => issuer.sign(viewer, { nbf: Math.floor(Date.now() / 1_000) + 3_600 })],
    [
      'an organization put in afterwards',
      async () => forge(await issuer.sign(viewer), {}, { org: other.organizationId }),
    ],
    ['a user of another organization', () => issuer.sign({ ...viewer, organizationId: other.organizationId })],
    ['an organization that is SQL', () => issuer.sign(viewer, { org: "' or '1'='1" })],
    ['a user that is __proto__', () => issuer.sign(viewer, { sub: '__proto__' })],
    ['100,000 characters', async () => `${await issuer.sign(viewer)}${'A'.repeat(10_000)}`],
  ];

  test('that are good are good', async () => {
    expect((await ask(await issuer.sign(viewer))).text).toContain('"viewer":{"id"');
    expect((await ask(await issuer.sign(other))).text).toContain('secretword');
  });

  test.each(forgeries)('with %s are refused', async (_label, make) => {
    const token = await make();
    const { status, text } = await ask(token);
    expect(status).toBe(401);
    expect(text).toContain('UNAUTHENTICATED');
    expect(text).not.toContain('secretword');
    expect(text).not.toContain(token.slice(0, 40));
    expect(text).not.toMatch(internalText);
  });

  test('that are missing show nothing', async () => {
    const { text } = await ask(null);
    expect(text).toContain('UNAUTHENTICATED');
    expect(text).not.toContain('word');
  });
});

/** Algorithm confusion: the key that everybody may read, used as the secret of an HMAC. */
function signWithPublicKey(issuer: TestIssuer, token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: issuer.key.kid })).toString('base64url');
  const signed = `${header}.${token.split('.')[1]}`;
  const secret = createPublicKey({ key: issuer.key.publicJwk as never, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
