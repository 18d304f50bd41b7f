import { once } from 'node:events';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import type { BatchReport, InferenceEngine } from '../engine.ts';
import { doubling } from '../testing-engine.ts';
import { type GatedEngine, startGatedEngine } from '../testing-gate.ts';
import type { TestVersion } from '../testing-model.ts';
import type { ServedEngine } from './testing-server.ts';
import { serveEngine } from './testing-server.ts';

// An index out of bounds is found only while the batch runs.
const lookup: TestVersion = {
  name: 'lookup',
  version: '1',
  graph: {
    inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'tokens'] }],
    outputs: [{ name: 'out', type: 'float32', shape: ['batch', 'tokens'] }],
    nodes: [{ operator: 'Gather', inputs: ['table', 'ids'], outputs: ['out'] }],
    constants: [{ name: 'table', type: 'float32', shape: [3], data: Float32Array.of(0, 10, 20) }],
  },
};
const variants: TestVersion[] = [
  doubling,
  { ...doubling, version: '10' },
  { ...doubling, version: '9' },
  { ...doubling, version: '11', manifest: { precision: 'INT8' } },
];
const broken: TestVersion = { ...doubling, name: 'broken', bytes: Buffer.from('no model') };

let reports: BatchReport[];
let engine: InferenceEngine;
let occupy: GatedEngine['occupy'];
let served: ServedEngine;
let registry: Registry;

beforeEach(async () => {
  reports = [];
  registry = new Registry();
  const onBatch = (report: BatchReport) => reports.push(report);
  ({ engine, occupy } = await startGatedEngine([...variants, lookup, broken], { onBatch, maxQueuedRows: 400 }));
  const limits = { maxBodyBytes: 100_000, maxRows: 1_000 };
  served = await serveEngine(engine, { registry, isDraining: () => isDraining, ...limits });
});
let isDraining = false;

async function get(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${served.url}${path}`, init);
  return { status: response.status, body: await response.json() };
}

const values = (data: number[][]) => [
  { name: 'values', datatype: 'FP32', shape: [data.length, data[0]!.length], data },
];

function infer(path: string, request: object): Promise<{ status: number; body: unknown }> {
  return get(path, { method: 'POST', body: JSON.stringify(request) });
}

describe('metadata', () => {
  test('of the server, its health and its models', async () => {
    const extensions = ['binary_tensor_data', 'schedule_policy', 'model_repository'];
    expect(await get('/v2')).toEqual({ status: 200, body: { name: 'tributary', version: '0', extensions } });
    expect(await get('/v2/')).toMatchObject({ status: 200, body: { name: 'tributary' } });
    expect(await get('/v2/health/live')).toEqual({ status: 200, body: { live: true } });
    expect(await get('/v2/health/ready')).toMatchObject({ status: 200, body: { ready: true } });
    const { body } = await get('/v2/models/doubling/versions/1');
    expect(body).toEqual({
      name: 'doubling',
      versions: ['1', '9', '10', '11'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'values', datatype: 'FP32', shape: [-1, -1] }],
      outputs: [
        { name: 'doubled', datatype: 'FP32', shape: [-1, -1] },
        { name: 'total', datatype: 'FP32', shape: [-1, 1] },
      ],
      parameters: { tributary_manifest: expect.any(String), execution_provider: 'cpu', precision: 'FP32' },
    });
    const { tributary_manifest: manifest } = (body as { parameters: Record<string, string> }).parameters;
    expect(JSON.parse(manifest!)).toEqual(engine.versions().find(({ name }) => name === 'doubling')!.manifest);
  });

  test('without a version is that of the newest of full precision', async () => {
    const { body } = await get('/v2/models/doubling');
    const { parameters } = body as { parameters: { tributary_manifest: string } };
    expect(JSON.parse(parameters.tributary_manifest)).toMatchObject({ version: '10', precision: 'FP32' });
    const answer = await infer('/v2/models/doubling/infer', { inputs: values([[1]]) });
    expect(answer.body).toMatchObject({ model_version: '10' });
  });

  test('tells ready models from broken and unknown ones', async () => {
    expect(await get('/v2/models/doubling/versions/1/ready')).toEqual({
      status: 200,
      body: { name: 'doubling', ready: true },
    });
    expect(await get('/v2/models/broken/ready')).toEqual({ status: 503, body: { name: 'broken', ready: false } });
    expect((await get('/v2/models/nothing/ready')).status).toBe(404);
    expect((await get('/v2/models/doubling/versions/2/ready')).status).toBe(404);
    const index = await get('/v2/repository/index', { method: 'POST' });
    expect(index.body).toContainEqual({ name: 'doubling', version: '1', state: 'READY', reason: '' });
    const reason = expect.stringMatching(/^broken\/1\/model.onnx: cannot be loaded/);
    expect(index.body).toContainEqual({ name: 'broken', version: '1', state: 'UNAVAILABLE', reason });
    const ready = await get('/v2/repository/index', { method: 'POST', body: '{"ready":true}' });
    expect(ready.body).toHaveLength(6);
  });

  test('has the probes and metrics of the other processes', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: { status: 'alive' } });
    const failedModels = [expect.objectContaining({ name: 'broken' })];
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready', failedModels } });
    await infer('/v2/models/doubling/infer', { inputs: values([[1]]) });
    const metrics = await (await fetch(`${served.url}/metrics`)).text();
    expect(metrics).toContain('tributary_inference_requests_total{model="doubling/10",status="200"} 1');
    isDraining = true;
    expect((await get('/readyz')).status).toBe(503);
    expect((await get('/v2/health/ready')).status).toBe(503);
    expect((await get('/v2/health/live')).status).toBe(200);
    isDraining = false;
  });
});

describe('infer', () => {
  test('answers in JSON with the id, and only what was asked for', async () => {
    const request = {
      id: '42',
      inputs: values([
        [1, 2],
        [3, 4],
      ]),
    };
    expect(await infer('/v2/models/doubling/versions/1/infer', request)).toEqual({
      status: 200,
      body: {
        id: '42',
        model_name: 'doubling',
        model_version: '1',
        parameters: { tributary_compute_ms: reports[0]!.computeMs },
        outputs: [
          { name: 'doubled', datatype: 'FP32', shape: [2, 2], data: [2, 4, 6, 8] },
          { name: 'total', datatype: 'FP32', shape: [2, 1], data: [3, 7] },
        ],
      },
    });
    const one = await infer('/v2/models/doubling/infer', { ...request, outputs: [{ name: 'total' }] });
    expect((one.body as { outputs: unknown[] }).outputs).toEqual([
      { name: 'total', datatype: 'FP32', shape: [2, 1], data: [3, 7] },
    ]);
  });

  test('takes binary data, and gives it for the outputs that want it', async () => {
    const document = {
      inputs: [{ name: 'values', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } }],
      outputs: [{ name: 'doubled', parameters: { binary_data: true } }, { name: 'total' }],
    };
    const text = Buffer.from(JSON.stringify(document));
    const response = await fetch(`${served.url}/v2/models/doubling/infer`, {
      method: 'POST',
      headers: { 'inference-header-content-length': String(text.length) },
      body: Buffer.concat([text, Buffer.from(Float32Array.of(1.5, 2).buffer)]),
    });
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    const body = Buffer.from(await response.arrayBuffer());
    const jsonBytes = Number(response.headers.get('inference-header-content-length'));
    expect(JSON.parse(body.subarray(0, jsonBytes).toString()).outputs).toEqual([
      { name: 'doubled', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
      { name: 'total', shape: [1, 1], datatype: 'FP32', data: [3.5] },
    ]);
    expect([body.readFloatLE(jsonBytes), body.readFloatLE(jsonBytes + 4)]).toEqual([3, 4]);
  });

  test('batches the rows of requests that come together', async () => {
    const release = await occupy();
    const answers = Array.from({ length: 20 }, (_, index) =>
      infer('/v2/models/doubling/versions/1/infer', { inputs: values([[index], [index + 0.5]]) }),
    );
    await expect.poll(() => engine.pendingRows()).toBe(42);
    await release();
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      const outputs = [expect.objectContaining({ data: [2 * index, 2 * index + 1] }), expect.anything()];
      expect(answer.body).toMatchObject({ outputs });
    }
    const rows = reports.filter(({ model }) => model === 'doubling').map((report) => report.rows);
    expect(rows).toEqual([40]);
  });

  test('takes timeout and priority', async () => {
    const release = await occupy();
    const inputs = values([[1]]);
    const late = infer('/v2/models/doubling/infer', { inputs, parameters: { timeout: 2_000 } });
    expect(await late).toEqual({ status: 504, body: { error: 'The prediction took too long.' } });
    const order: string[] = [];
    const bulk = infer('/v2/models/doubling/versions/9/infer', { inputs, parameters: { priority: 2 } });
    await expect.poll(() => engine.pendingRows()).toBe(3);
    const urgent = infer('/v2/models/doubling/versions/1/infer', { inputs, parameters: { priority: 1 } });
    await expect.poll(() => engine.pendingRows()).toBe(4);
    await Promise.all([bulk.then(() => order.push('bulk')), urgent.then(() => order.push('urgent')), release()]);
    expect(order).toEqual(['urgent', 'bulk']);
  });

  test('fails as a whole when a row fails, unless the client takes a part of it', async () => {
    const request = { inputs: [{ name: 'ids', datatype: 'INT32', shape: [3, 1], data: [1, 77, 2] }] };
    const error = 'The model lookup/1 failed on this input.';
    expect(await infer('/v2/models/lookup/infer', request)).toEqual({ status: 500, body: { error } });
    const partial = await infer('/v2/models/lookup/infer', { ...request, parameters: { tributary_row_errors: true } });
    expect(partial).toMatchObject({
      status: 200,
      body: { parameters: { tributary_row_errors: JSON.stringify({ 1: error }) }, outputs: [{ data: [10, 0, 20] }] },
    });
    const none = { ...request, inputs: [{ ...request.inputs[0]!, shape: [1, 1], data: [77] }] };
    const whole = infer('/v2/models/lookup/infer', { ...none, parameters: { tributary_row_errors: true } });
    expect((await whole).status).toBe(500);
  });

  test('is overloaded when the queue is full, and says when to come again', async () => {
    const release = await occupy();
    const waiting = infer('/v2/models/doubling/infer', { inputs: values(new Array(399).fill([1])) });
    await expect.poll(() => engine.pendingRows()).toBe(2 + 399);
    const body = JSON.stringify({ inputs: values([[1], [2]]) });
    const refused = await fetch(`${served.url}/v2/models/doubling/infer`, { method: 'POST', body });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    await release();
    expect((await waiting).status).toBe(200);
  });

  test('lets the rows of a client that has gone leave the queue', async () => {
    const release = await occupy();
    const leaving = new AbortController();
    const request = { method: 'POST', body: JSON.stringify({ inputs: values([[1]]) }), signal: leaving.signal };
    const left = fetch(`${served.url}/v2/models/doubling/infer`, request).catch((error) => error.name);
    await expect.poll(() => engine.pendingRows()).toBe(3);
    leaving.abort();
    expect(await left).toBe('AbortError');
    await expect.poll(() => engine.pendingRows()).toBe(2);
    await release();
    expect(reports.map(({ model }) => model)).toEqual(['plug', 'plug']);
  });
});

describe('a bad request', () => {
  const one = { name: 'values', datatype: 'FP32', shape: [1, 1], data: [1] };
  const badInputs: [string, unknown, number, RegExp][] = [
    ['no JSON', '{"inputs":', 400, /^expected JSON/],
    ['no inputs', {}, 400, /^inputs: expected an array/],
    ['an unknown input', { inputs: [one, { ...one, name: '__proto__' }] }, 400, /got another, "__proto__"$/],
    ['a missing input', { inputs: [] }, 400, /^input "values": expected a tensor, got nothing$/],
    ['another datatype', { inputs: [{ ...one, datatype: 'FP64' }] }, 400, /expected FP32, got FP64$/],
    ['no rows', { inputs: [{ ...one, shape: [0, 1], data: [] }] }, 400, /expected the same 1 to 1000 rows/],
    [
      'too many rows of nothing',
      { inputs: [{ ...one, shape: [1001, 0], data: [] }] },
      400,
      /got "values" \[1001, 0\]$/,
    ],
    ['no axes', { inputs: [{ ...one, shape: [] }] }, 400, /expected the same 1 to 1000 rows/],
    ['another rank', { inputs: [{ ...one, shape: [1, 1, 1] }] }, 400, /^row 0, input values: expected dims \[steps\]/],
    ['an unknown output', { inputs: [one], outputs: [{ name: 'constructor' }] }, 400, /some of doubled, total, got/],
    [
      'a timeout of text',
      { inputs: [one], parameters: { timeout: '5' } },
      400,
      /^parameters.timeout: expected a whole/,
    ],
    ['a switch of text', { inputs: [one], parameters: { binary_data_output: 'yes' } }, 400, /expected true or false/],
    ['too large', { inputs: [{ ...one, data: new Array(60_000).fill(1) }] }, 413, /at most 100000 bytes, got more$/],
  ];
  test('is refused before anything runs', async () => {
    for (const [name, request, status, message] of badInputs) {
      const body = typeof request === 'string' ? request : JSON.stringify(request);
      const answer = await get('/v2/models/doubling/infer', { method: 'POST', body });
      expect(answer, name).toEqual({ status, body: { error: expect.stringMatching(message) } });
    }
    expect(reports).toEqual([]);
  });

  const badPaths: [string, string, RequestInit, number][] = [
    ['an unknown model', '/v2/models/nothing/infer', { method: 'POST', body: '{}' }, 404],
    ['a model of the prototype', '/v2/models/__proto__', {}, 404],
    ['an unknown version', '/v2/models/doubling/versions/7/infer', { method: 'POST', body: '{}' }, 404],
    ['an unknown path', '/v2/nothing', {}, 404],
    ['another unknown path', '/v3', {}, 404],
    ['a path that is no UTF-8', '/v2/models/%ff', {}, 400],
    ['GET for infer', '/v2/models/doubling/infer', {}, 405],
    ['POST for metadata', '/v2/models/doubling', { method: 'POST' }, 405],
    ['a wrong header length', '/v2/models/doubling/infer', post({ 'inference-header-content-length': '-1' }), 400],
    ['a compressed body', '/v2/models/doubling/infer', post({ 'content-encoding': 'gzip' }), 415],
    ['an index of no JSON', '/v2/repository/index', { method: 'POST', body: '{' }, 400],
  ];
  test('is answered by one sentence', async () => {
    for (const [name, path, init, status] of badPaths) {
      expect(await get(path, init), name).toEqual({ status, body: { error: expect.any(String) } });
    }
    expect((await fetch(`${served.url}/v2/models/doubling/infer`)).headers.get('allow')).toBe('POST');
  });

  test('that lies about its length is refused after so many bytes', async () => {
    const socket = connect(served.port, '127.0.0.1');
    const chunk = `${(10_000).toString(16)}\r\n${' '.repeat(10_000)}\r\n`;
    const head = 'POST /v2/models/doubling/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    socket.write(head + chunk.repeat(11));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
  });

  test('beyond what all may hold together waits for nobody', async () => {
    const small = await serveEngine(engine, { maxHeldBytes: 50_000 });
    const slow = connect(small.port, '127.0.0.1');
    slow.write('POST /v2/models/doubling/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n');
    slow.write(' '.repeat(49_000));
    const body = JSON.stringify({ inputs: [one], id: ' '.repeat(2_000) });
    const send = () => fetch(`${small.url}/v2/models/doubling/infer`, { method: 'POST', body });
    await expect.poll(async () => (await send()).status).toBe(503);
    slow.destroy();
    await expect.poll(async () => (await send()).status).toBe(200);
  });
});

function post(headers: Record<string, string>): RequestInit {
  return { method: 'POST', headers, body: JSON.stringify({ inputs: values([[1]]) }) };
}
