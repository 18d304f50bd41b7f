import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { createSchema, createYoga } from 'graphql-yoga';
import { Gauge, Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createListener, createMetricsListener, listen } from '../listener.ts';
import { useCompression } from './use-compression.ts';

const origin = 'https://app.example.com';
const registry = new Registry();
const text = 'words that come again and again, '.repeat(200);
const closing: (() => void)[] = [];
let port = 0;
let metricsPort = 0;
/** Lets the second event of the stream go out. */
let sendSecond = () => {};

beforeAll(async () => {
  new Gauge({ name: 'one', help: text, registers: [registry] });
  const yoga = createYoga({
    schema: createSchema({
      typeDefs: 'type Query { text: String, short: String } type Subscription { ticks: String }',
      resolvers: {
        Query: { text: () => text, short: () => 'short' },
        Subscription: {
          ticks: {
            async *subscribe() {
              yield { ticks: text };
              await new Promise<void>((resolve) => {
                sendSecond = resolve;
              });
              yield { ticks: text };
            },
          },
        },
      },
    }),
    logging: false,
    plugins: [useCompression()],
  });
  const readiness = async () => ({ isReady: true, details: {} });
  const options = { graphql: yoga, readiness, registry, servesMetrics: true, corsOrigins: [origin] };
  for (const listener of [createListener(options), createMetricsListener(registry)]) {
    const listening = await listen(listener, '127.0.0.1', 0);
    closing.push(() => {
      listening.server.closeAllConnections();
      listening.server.close();
    });
    [port, metricsPort] = port === 0 ? [listening.port, 0] : [port, listening.port];
  }
});

afterAll(() => {
  for (const close of closing) close();
});

async function open(path: string, headers: Record<string, string>, { method = 'GET', to = port } = {}) {
  const sent = request({ port: to, path, method, headers }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function ask(...given: Parameters<typeof open>) {
  const response = await open(...given);
  return { headers: response.headers, bytes: Buffer.concat(await response.toArray()) };
}

const query = (document: string) => `/graphql?${new URLSearchParams({ query: document })}`;
const decode = { br: brotliDecompressSync, gzip: gunzipSync };

describe.each(['br', 'gzip'] as const)('by %s', (encoding) => {
  const accept = { 'accept-encoding': encoding };

  test('goes what is made for one request', async () => {
    const plain = await ask(query('{ text }'), {});
    const { headers, bytes } = await ask(query('{ text }'), accept);
    expect(headers).toMatchObject({
      'content-encoding': encoding,
      'content-length': String(bytes.length),
      'content-type': plain.headers['content-type'],
    });
    expect(decode[encoding](bytes)).toEqual(plain.bytes);
    expect(JSON.parse(plain.bytes.toString())).toEqual({ data: { text } });
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(plain.headers['content-length']).toBe(String(plain.bytes.length));
  });

  test('goes the page of GraphiQL, which is HTML', async () => {
    const { headers, bytes } = await ask('/graphql', { ...accept, accept: 'text/html' });
    expect([headers['content-encoding'], headers['content-type']]).toEqual([encoding, expect.stringContaining('html')]);
    expect(decode[encoding](bytes).toString()).toContain('</html>');
  });

  test('goes what is wrong with a large document, with its status', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `unknown${index}`);
    const { headers, bytes } = await ask(query(`{ ${names.join(' ')} }`), accept);
    expect(headers['content-encoding']).toBe(encoding);
    expect(JSON.parse(decode[encoding](bytes).toString()).errors.length).toBeGreaterThan(10);
  });
});

describe('what is not compressed', () => {
  test('is small, or for a client that does not accept it; it varies by that all the same', async () => {
    for (const [document, accepted] of [
      ['{ short }', 'br'],
      ['{ text }', 'deflate'],
      ['{ text }', 'br;q=0'],
    ] as const) {
      const { headers, bytes } = await ask(query(document), { 'accept-encoding': accepted, origin });
      expect(headers).not.toHaveProperty('content-encoding');
      expect(headers.vary).toBe('Origin, accept-encoding');
      expect(JSON.parse(bytes.toString()).data).toBeDefined();
    }
  });

  test('is a stream of events: the first comes before there is a second', async () => {
    const response = await open(query('subscription { ticks }'), {
      'accept-encoding': 'br, gzip',
      accept: 'text/event-stream',
    });
    // As Yoga says it of streams.
    expect(response.headers['content-encoding']).toBe('none');
    let received = '';
    response.on('data', (chunk) => {
      received += chunk;
    });
    await expect.poll(() => received.split(text).length - 1).toBe(1);
    sendSecond();
    await once(response, 'end');
    expect(received.split(text).length - 1).toBe(2);
  });
});

describe('the metrics', () => {
  test('go compressed to who accepts that, on both ports', async () => {
    for (const to of [port, metricsPort]) {
      const plain = await ask('/metrics', {}, { to });
      const { headers, bytes } = await ask('/metrics', { 'accept-encoding': 'gzip' }, { to });
      expect([headers['content-encoding'], headers.vary]).toEqual(['gzip', 'accept-encoding']);
      expect(gunzipSync(bytes)).toEqual(plain.bytes);
      const head = await ask('/metrics', { 'accept-encoding': 'gzip' }, { to, method: 'HEAD' });
      expect(head.bytes).toHaveLength(0);
      expect(head.headers['content-length']).toBe(String(bytes.length));
    }
  });
});
