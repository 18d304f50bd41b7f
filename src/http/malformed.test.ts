import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { exchange, openRaw, rawPost } from './testing-socket.ts';

const maxBytes = 300_000;
const leaks = /node:|\.[jt]s:\d|\bat \w+ \(|TypeError|SyntaxError|ERR_|HPE_|Parse Error|node_modules/;

let app: TestApp;
let served: ServedApp;
let logged: { level: number; msg: string }[] = [];

beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  app = await createTestApp({ log, settings: { limits: limitsOf({ max: maxBytes, isWarnOnly: false }) } });
  served = await serveApp(app, () => false, {
    limits: { headersTimeoutMs: 300, requestTimeoutMs: 1_000, checkIntervalMs: 50 },
  });
});

beforeEach(() => {
  logged = [];
});

afterAll(() => served.close());

function limitsOf(bodyBytes: { max: number; isWarnOnly: boolean }) {
  const off = { max: Number.POSITIVE_INFINITY, isWarnOnly: false };
  return {
    bodyBytes,
    documentLength: off,
    tokens: off,
    depth: off,
    aliases: off,
    rootFields: off,
    directives: off,
    listSize: off,
    cost: off,
  };
}

const isAlive = async () => (await fetch(`${served.origin}/healthz`)).status === 200;
const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1]);
/** An object of one key, whatever the key. */
const query = '{"query":"{ __typename }"';
const close = { connection: 'close' };
const counted = async (mode: string) => {
  const text = await app.registry.metrics();
  return Number(
    new RegExp(`tributary_limit_exceeded_total\\{limit="bodyBytes",mode="${mode}"\\} (\\d+)`).exec(text)?.[1],
  );
};

describe('what is no HTTP', () => {
  test.each([
    ['nonsense', 'nonsense\r\n\r\n', 400],
    ['no host', 'GET /graphql HTTP/1.1\r\n\r\n', 400],
    ['a host that is none', 'GET /graphql?a=1 HTTP/1.1\r\nhost: [\r\nconnection: close\r\n\r\n', 400],
    ['a port that is none', 'GET /graphql?a=1 HTTP/1.1\r\nhost: x:99999\r\nconnection: close\r\n\r\n', 400],
    ['two lengths', rawPost('{}', { 'Content-Length': '3' }), 400],
    ['a length and chunks', rawPost('{}', { 'transfer-encoding': 'chunked' }), 400],
    ['a length that is none', rawPost('{}', { 'content-length': '-1' }), 400],
    ['a chunk that is none', rawPost('zz\r\n', { 'content-length': '', 'transfer-encoding': 'chunked' }), 400],
    ['a control character in a header', rawPost('{}', { 'x-a': 'a\u0000b' }), 400],
    ['headers too large', rawPost('{}', { 'x-a': 'a'.repeat(20_000) }), 431],
    ['a URL too large', `GET /graphql?query=${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
    ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), 400],
  ])('is refused and closed: %s', async (_name, bytes, status) => {
    const text = await exchange(served.port, bytes);
    expect(statusOf(text)).toBe(status);
    expect(text).not.toMatch(leaks);
    expect(await isAlive()).toBe(true);
    expect(logged).toEqual([]);
  });

  test('says so as a GraphQL error with an id and the security headers', async () => {
    const text = await exchange(served.port, 'nonsense\r\n\r\n');
    const [head, body] = text.split('\r\n\r\n') as [string, string];
    const id = /x-request-id: (\S+)/.exec(head)?.[1];
    expect(head).toContain('x-content-type-options: nosniff');
    expect(JSON.parse(body)).toMatchObject({
      errors: [{ message: 'The request is no HTTP/1.1', extensions: { code: 'BAD_USER_INPUT', requestId: id } }],
    });
  });
});

describe('a body that asks nothing sensible', () => {
  test.each([
    ['no JSON', '{"query":'],
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '1'],
    ['a text', '"{ __typename }"'],
    ['an array', `[${query}}]`],
    ['an empty array', '[]'],
    ['query as a number', '{"query":1}'],
    ['query as an object', '{"query":{}}'],
    ['variables as an array', `${query},"variables":[]}`],
    ['variables as a text', `${query},"variables":"x"}`],
    ['variables as a number', `${query},"variables":1}`],
    ['extensions as a text', `${query},"extensions":"x"}`],
    ['operationName as an object', `${query},"operationName":{"a":1}}`],
    ['a __proto__ of its own', `${query},"__proto__":{"query":"{ viewer { name } }"}}`],
    ['a constructor of its own', `${query},"constructor":{"prototype":{"x":1}}}`],
    ['brackets without end', `${query},"variables":{"x":${'['.repeat(100_000)}`],
    ['invalid UTF-8', Buffer.from(`{"query":"{ __typename } # \xff"}`, 'latin1')],
  ])('is BAD_USER_INPUT: %s', async (_name, body) => {
    const bytes = Buffer.from(body);
    const head = rawPost('', {
      'content-length': String(bytes.length),
      accept: 'application/graphql-response+json',
      ...close,
    });
    const text = await exchange(served.port, Buffer.concat([Buffer.from(head), bytes]));
    expect(statusOf(text)).toBe(400);
    expect(text).toMatch(/"code":"BAD_USER_INPUT"/);
    expect(text).not.toMatch(leaks);
    expect(logged).toEqual([]);
  });

  test.each([
    ['variables with __proto__', `${query},"variables":{"__proto__":{"a":1},"constructor":1}}`],
    ['100,000 brackets', `${query},"variables":{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
    ['100,000 braces', `${query},"variables":{"x":${'{"x":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`],
    ['a key twice', '{"query":"{ nope }","query":"{ __typename }"}'],
  ])('harms nothing: %s', async (_name, body) => {
    const text = await exchange(served.port, rawPost(body, close));
    expect(text).toContain('"__typename":"Query"');
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  test('of deep lists for a text is the client’s fault, at once', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const body = `{"query":"query ($x: String!) { sentiment(text: $x) { label } }","variables":{"x":${deep}}}`;
    const text = await exchange(served.port, rawPost(body, close));
    expect(text).toContain('"code":"BAD_USER_INPUT"');
    expect(logged).toEqual([]);
  });

  test.each(['variables={', 'variables=[', 'extensions=x', 'variables=%FF%FE', 'variables=%'])(
    'in a URL is BAD_USER_INPUT: %s',
    async (part) => {
      const response = await fetch(`${served.origin}/graphql?query={__typename}&${part}`);
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(/(variables|extensions): expected JSON/);
      expect(logged).toEqual([]);
    },
  );

  test('in a URL that ends like a path of Yoga is no path of Yoga', async () => {
    const response = await fetch(`${served.origin}/graphql?query={__typename}&operationName=/health`);
    expect(await response.text()).toMatch(/what operation to execute/);
  });
});

describe('a body that is too large', () => {
  const message = `body: expected at most ${maxBytes} bytes, got more: send less, or several requests`;

  test('is 413 before it is read, and its sender can read that', async () => {
    const before = (await counted('refused')) || 0;
    const body = JSON.stringify({ query: '{ __typename }', variables: { x: 'x'.repeat(2_000_000) } });
    const response = await fetch(`${served.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect([response.status, response.headers.get('connection')]).toEqual([413, 'close']);
    expect(await response.json()).toMatchObject({ errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] });
    expect(await counted('refused')).toBe(before + 1);
  });

  test('is 413 for a client that reads only after all is sent', async () => {
    const raw = await openRaw(served.port);
    raw.socket.pause();
    const body = 'x'.repeat(8_000_000);
    const isSent = await new Promise<boolean>((resolve) => {
      raw.socket.write(rawPost(body), (error) => resolve(!error));
    });
    raw.socket.resume();
    expect(isSent).toBe(true);
    expect(statusOf(await raw.closed())).toBe(413);
  });

  test('is 413 while it is read, when its length is not said, and memory stays flat', async () => {
    const raw = await openRaw(served.port);
    raw.socket.write(rawPost('', { 'transfer-encoding': 'chunked' }).replace(/content-length: 0\r\n/, ''));
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const before = process.memoryUsage().rss;
    let sent = 0;
    while (!raw.socket.destroyed && raw.socket.writable && sent < 200 && !raw.text()) {
      sent += 1;
      if (!raw.socket.write(chunk)) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(statusOf(await raw.closed())).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  test('of exactly the limit is read', async () => {
    const empty = JSON.stringify({ query: '{ __typename }', variables: { x: '' } });
    const body = empty.replace('""', `"${'x'.repeat(maxBytes - empty.length)}"`);
    expect(Buffer.byteLength(body)).toBe(maxBytes);
    expect(statusOf(await exchange(served.port, rawPost(body, close)))).toBe(200);
  });

  test('passes where the limit only warns, and is counted and logged', async () => {
    logged = [];
    const lines: string[] = [];
    const warned = await createTestApp({
      log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
      settings: { limits: limitsOf({ max: 10, isWarnOnly: true }) },
    });
    const answer = await warned.query('{ __typename }');
    expect(answer.data).toEqual({ __typename: 'Query' });
    expect(lines.join()).toMatch(/over the limit bodyBytes/);
    expect(await warned.registry.metrics()).toContain('{limit="bodyBytes",mode="warned"} 1');
    await warned.close();
  });
});

describe('a client that is slow on purpose', () => {
  test.each([
    ['headers', 'POST /graphql HTTP/1.1\r\nhost: x\r\nx-a: '],
    ['a body', `${rawPost('', { 'content-length': '100' })}{"q`],
    ['nothing', ''],
  ])('with %s is closed', async (_name, bytes) => {
    const raw = await openRaw(served.port);
    if (bytes) raw.socket.write(bytes);
    const drip = setInterval(() => bytes && raw.socket.writable && raw.socket.write('x'), 100);
    const text = await raw.closed();
    clearInterval(drip);
    expect(statusOf(text)).toBe(408);
    expect(text).toContain('"code":"TIMEOUT"');
    expect(logged).toEqual([]);
  });

  test('does not keep others waiting', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => openRaw(served.port)));
    for (const { socket } of slow) socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\nx-a: ');
    const startedAt = performance.now();
    expect(await isAlive()).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await Promise.all(slow.map((raw) => raw.closed()));
  });
});
