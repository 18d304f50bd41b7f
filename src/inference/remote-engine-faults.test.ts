import { describe, expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../testing/free-port.ts';
import type { BatchReport, InferenceEngine, InferenceError, PredictRequest } from './engine.ts';
import type { ManifestInput } from './manifest.ts';
import { bodyOf, type ServedEngine, serve, serveEngine } from './protocol/testing-server.ts';
import { createRemoteEngine, type RemoteEngineOptions } from './remote-engine.ts';
import { scanManifests } from './repository.ts';
import { doubling, numbersOf, outputOf, startEngine, temporaryFolder, valuesRow } from './testing-engine.ts';
import { startGatedEngine } from './testing-gate.ts';
import { type TestVersion, writeTestVersion } from './testing-model.ts';

const predictDoubling = { model: 'doubling', version: '1' };
const notAvailable = { kind: 'unavailable', message: 'Predictions are not available now.' };

async function connectTo({ url }: Pick<ServedEngine, 'url'>, options: Partial<RemoteEngineOptions> = {}) {
  const nothing = { versions: [], failures: [] };
  const engine = await createRemoteEngine({ url, repository: nothing, pollMs: 50, ...options });
  onTestFinished(() => engine.close());
  return engine;
}

/** Manifests of these versions, as a process without the models has them. */
async function manifestsOf(...versions: TestVersion[]) {
  const directory = await temporaryFolder();
  for (const version of versions) await writeTestVersion(directory, version);
  return scanManifests(directory);
}

function failureOf(promise: Promise<unknown>): Promise<InferenceError> {
  return promise.then(
    () => expect.unreachable('expected a rejection'),
    (error) => error,
  );
}

const double = async (engine: InferenceEngine, value: number, request: Partial<PredictRequest> = {}) =>
  numbersOf((await engine.predict({ ...predictDoubling, rows: [valuesRow(value)], ...request }))[0], 'doubled')[0];

describe('a server that is away', () => {
  test('at the start brings its versions when it comes', async () => {
    const port = await findFreePort();
    const turns: boolean[] = [];
    const remote = await connectTo(
      { url: `http://127.0.0.1:${port}` },
      { repository: await manifestsOf(doubling), onAvailability: (isUp) => turns.push(isUp) },
    );
    expect(remote.versions()).toEqual([]);
    const error = 'the inference server has not answered yet';
    expect(remote.failures()).toEqual([{ name: 'doubling', version: '1', task: 'SENTIMENT', error }]);
    expect(await failureOf(double(remote, 1))).toMatchObject(notAvailable);
    expect(await failureOf(double(remote, 1, { version: '2' }))).toMatchObject({ kind: 'unknown-model' });
    await serveEngine(await startEngine([doubling]), {}, port);
    await expect.poll(() => remote.versions().map(({ executionProvider }) => executionProvider)).toEqual(['cpu']);
    expect(remote.failures()).toEqual([]);
    expect(await double(remote, 4)).toBe(8);
    expect(turns).toEqual([false, true]);
  });

  test('while calls run fails them at once, and is found again', async () => {
    const { engine, occupy } = await startGatedEngine([doubling]);
    const served = await serveEngine(engine);
    const turns: boolean[] = [];
    const onAvailability = (isUp: boolean) => turns.push(isUp);
    const remote = await connectTo(served, { concurrency: 2, pollMs: 60_000, onAvailability });
    const [known] = remote.versions();
    const release = await occupy();
    const running = [1, 2].map((value) => failureOf(double(remote, value)));
    await expect.poll(() => engine.pendingRows()).toBe(4);
    await served.stop();
    for (const error of await Promise.all(running)) expect(error).toMatchObject(notAvailable);
    expect(await failureOf(double(remote, 5))).toMatchObject(notAvailable);
    await expect.poll(() => remote.pendingRows()).toBe(0);
    await release();
    await serveEngine(engine, {}, served.port);
    await expect.poll(() => double(remote, 6).catch((error) => error.kind)).toBe(12);
    expect(remote.versions()[0]).toBe(known);
    // Asked because of what was lost, long before the next question was due.
    expect(turns).toEqual([true, false, true]);
  });

  test('for a moment costs no answer: a batch is run again on a new connection', async () => {
    const engine = await startEngine([doubling]);
    const lost = { count: 0 };
    const served = await serve((request, response) => {
      const isLost = request.url!.endsWith('/infer') && lost.count++ < 1;
      if (isLost) request.socket.destroy();
      else behind.server.emit('request', request, response);
    });
    const behind = await serveEngine(engine);
    const reports: BatchReport[] = [];
    const remote = await connectTo(served, { onBatch: (report) => reports.push(report) });
    expect(await double(remote, 7)).toBe(14);
    expect(lost.count).toBe(2);
    expect(reports.map(({ isFailed }) => isFailed)).toEqual([true, false]);
  });

  test('that answers nothing is taken for down, and waiting calls do not hang', async () => {
    const engine = await startEngine([doubling]);
    let isFrozen = false;
    const served = await serve((request, response) => {
      if (!isFrozen) behind.server.emit('request', request, response);
    });
    const behind = await serveEngine(engine);
    const remote = await connectTo(served, { askTimeoutMs: 200 });
    isFrozen = true;
    expect(await failureOf(double(remote, 1))).toMatchObject(notAvailable);
    isFrozen = false;
    await expect.poll(() => double(remote, 6).catch((error) => error.kind)).toBe(12);
  });
});

describe('a server that says no', () => {
  /** Answers inferences with this status, so many times. */
  async function refusing(status: number, times = Number.POSITIVE_INFINITY) {
    const engine = await startEngine([doubling]);
    const asked = { count: 0 };
    const served = await serve((request, response) => {
      if (!request.url!.endsWith('/infer') || asked.count++ >= times) {
        behind.server.emit('request', request, response);
        return;
      }
      request.resume().on('end', () => response.writeHead(status).end('{"error":"no"}'));
    });
    const behind = await serveEngine(engine);
    return { remote: await connectTo(served), asked };
  }

  test.each<[number, string, string]>([
    [503, 'overloaded', 'Too many predictions are waiting; try again later.'],
    [429, 'overloaded', 'Too many predictions are waiting; try again later.'],
    [504, 'timeout', 'The prediction took too long.'],
    [404, 'unavailable', 'Predictions are not available now.'],
  ])('by %i is asked once more, and callers are told: %s', async (status, kind, message) => {
    const { remote, asked } = await refusing(status);
    expect(await failureOf(double(remote, 1))).toMatchObject({ kind, message });
    expect(asked.count).toBe(2);
  });

  test.each([400, 413, 500])('by %i has the rows found that it fails on', async (status) => {
    const { remote, asked } = await refusing(status, 4);
    const rows = [1, 2, 3, 4].map((value) => valuesRow(value));
    const results = await remote.predict({ ...predictDoubling, rows });
    // All four, the first two, the last two, and the first alone were refused.
    expect(results[0]).toMatchObject({ kind: 'failed', message: 'The model doubling/1 failed on this input.' });
    expect(results.slice(1).map((result) => numbersOf(result, 'doubled')[0])).toEqual([4, 6, 8]);
    expect(asked.count).toBe(7);
  });
});

describe('versions', () => {
  test('that come, change and go are seen without a restart', async () => {
    const first = await startEngine([doubling]);
    const second = await startEngine([{ ...doubling, version: '2' }, doubling]);
    let engine = first;
    const facade: InferenceEngine = {
      versions: () => engine.versions(),
      failures: () => engine.failures(),
      pendingRows: () => engine.pendingRows(),
      predict: (request) => engine.predict(request),
      close: async () => {},
    };
    const remote = await connectTo(await serveEngine(facade));
    const [known] = remote.versions();
    engine = second;
    await expect.poll(() => remote.versions().map(({ version }) => version)).toEqual(['1', '2']);
    expect(remote.versions()[0]).toBe(known);
    expect(await double(remote, 3, { version: '2' })).toBe(6);
    engine = first;
    await expect.poll(() => remote.versions().map(({ version }) => version)).toEqual(['1']);
    expect((await failureOf(double(remote, 3, { version: '2' }))).kind).toBe('unknown-model');
  });

  test('on which the server and the folder do not agree are named with the reason', async () => {
    const broken: TestVersion = { ...doubling, name: 'broken', bytes: Buffer.from('no model') };
    const there = await startEngine([doubling, { ...doubling, version: '2' }, broken]);
    const wider: Partial<ManifestInput> = { outputs: [{ name: 'total', type: 'float32', shape: ['batch', 2] }] };
    const otherBytes = { ...doubling, version: '2', bytes: Buffer.from('another model') };
    const repository = await manifestsOf({ ...doubling, manifest: wider }, otherBytes, broken, {
      ...doubling,
      version: '3',
    });
    const remote = await connectTo(await serveEngine(there), { repository });
    expect(remote.versions()).toEqual([]);
    const errors = Object.fromEntries(
      remote.failures().map(({ name, version, error }) => [`${name}/${version}`, error]),
    );
    expect(errors).toEqual({
      'doubling/1': 'doubling/1: on the inference server: output total: expected FP32 [-1, 2], got FP32 [-1, 1]',
      'doubling/2': expect.stringMatching(
        /^doubling\/2: expected the model of sha256 \w+, the inference server has \w+$/,
      ),
      'doubling/3': 'doubling/3: the inference server does not have it',
      'broken/1': expect.stringMatching(/^broken\/1\/model.onnx: cannot be loaded/),
    });
  });

  test('of which one cannot be described leave the others alone', async () => {
    const engine = await startEngine([doubling, { ...doubling, version: '2' }]);
    const served = await serve((request, response) => {
      if (request.url === '/v2/models/doubling/versions/2') response.writeHead(500).end('{"error":"no"}');
      else behind.server.emit('request', request, response);
    });
    const behind = await serveEngine(engine);
    const remote = await connectTo(served);
    expect(remote.versions().map(({ version }) => version)).toEqual(['1']);
    const error = 'doubling/2: HTTP 500: {"error":"no"}';
    expect(remote.failures()).toEqual([{ name: 'doubling', version: '2', task: null, error }]);
    expect(await double(remote, 3)).toBe(6);
  });
});

describe('a foreign server', () => {
  /** As KServe's Python servers: JSON only, no versions, no index, dynamic axes -1; and it doubles what it gets. */
  async function foreignServer(changes: { isSilent?: boolean; answer?: (rows: number[][]) => object } = {}) {
    const bodies: { inputs: { shape: number[]; data: number[] }[] }[] = [];
    const inputs = [{ name: 'values', datatype: 'FP32', shape: [-1, -1] }];
    const outputs = [
      { name: 'doubled', datatype: 'FP32', shape: [-1, -1] },
      { name: 'total', datatype: 'FP32', shape: [-1, 1] },
    ];
    const documents: Record<string, object> = {
      'GET /v2': { name: 'kserve', version: '0.11.0', extensions: ['model_repository_extension'] },
      'GET /v2/models/doubling': { name: 'doubling', platform: '', ...(changes.isSilent ? {} : { inputs, outputs }) },
      'GET /v2/models/doubling/ready': { name: 'doubling', ready: true },
    };
    const served = await serve(async (request, response) => {
      const send = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      const body = await bodyOf(request);
      const document = documents[`${request.method} ${request.url}`];
      if (document !== undefined) return send(200, document);
      if (request.url!.includes('/versions/')) return send(501, { error: 'Model versioning not supported yet.' });
      if (request.url !== '/v2/models/doubling/infer') return send(404, { detail: 'Not Found' });
      const parsed = JSON.parse(body.toString());
      bodies.push(parsed);
      const [rows, width] = parsed.inputs[0].shape;
      const data: number[][] = Array.from({ length: rows }, (_, row) =>
        parsed.inputs[0].data.slice(row * width, (row + 1) * width),
      );
      return send(200, (changes.answer ?? answerOf)(data));
    });
    return { served, bodies };
  }

  // Nested for one output, flat for the other: both are allowed.
  const answerOf = (rows: number[][]) => ({
    model_name: 'doubling',
    id: 'f0a9',
    parameters: null,
    outputs: [
      {
        name: 'total',
        datatype: 'FP32',
        shape: [rows.length, 1],
        data: rows.map((row) => row.reduce((a, b) => a + b, 0)),
      },
      {
        name: 'doubled',
        datatype: 'FP32',
        shape: [rows.length, rows[0]!.length],
        data: rows.map((row) => row.map((value) => 2 * value)),
      },
    ],
  });

  test('of JSON only serves the version that this process has a manifest for', async () => {
    const { served, bodies } = await foreignServer();
    const remote = await connectTo(served, { repository: await manifestsOf(doubling) });
    expect(remote.versions()).toEqual([expect.objectContaining({ name: 'doubling', executionProvider: 'remote' })]);
    const results = await remote.predict({ ...predictDoubling, rows: [valuesRow(1.5), valuesRow(2, 3, 4)] });
    expect(results.map((result) => numbersOf(result, 'doubled'))).toEqual([[3], [4, 6, 8]]);
    expect(results.map((result) => numbersOf(result, 'total'))).toEqual([[1.5], [9]]);
    expect(outputOf(results[0]).batchRows).toBe(2);
    expect(bodies).toEqual([
      {
        parameters: { timeout: 30_000_000, priority: 1 },
        inputs: [{ name: 'values', shape: [2, 3], datatype: 'FP32', data: [1.5, 0, 0, 2, 3, 4] }],
        outputs: [
          { name: 'doubled', parameters: { binary_data: false } },
          { name: 'total', parameters: { binary_data: false } },
        ],
      },
    ]);
  });

  test.each<[string, object[]]>([
    ['nothing', []],
    ['other shapes', [{ name: 'total', datatype: 'FP32', shape: [1, 2], data: [1, 2] }]],
    ['other datatypes', [{ name: 'total', datatype: 'FP64', shape: [1, 1], data: [1] }]],
    ['other rows', [{ name: 'total', datatype: 'FP32', shape: [2, 1], data: [1, 2] }]],
  ])('that does not say what its tensors are is believed, until it answers %s', async (_, outputs) => {
    const doubled = { name: 'doubled', datatype: 'FP32', shape: [1, 1], data: [2] };
    const answer = () => ({ outputs: [doubled, ...outputs] });
    const { served, bodies } = await foreignServer({ isSilent: true, answer });
    const remote = await connectTo(served, { repository: await manifestsOf(doubling) });
    expect(remote.versions()).toHaveLength(1);
    expect(await failureOf(double(remote, 1))).toMatchObject(notAvailable);
    expect(bodies).toHaveLength(2);
  });

  test('without versions cannot stand for two of them', async () => {
    const { served } = await foreignServer();
    const repository = await manifestsOf(doubling, { ...doubling, version: '2' });
    const remote = await connectTo(served, { repository });
    expect(remote.versions()).toEqual([]);
    expect(remote.failures().map(({ error }) => error)).toEqual([
      'doubling/1: the inference server does not have it',
      'doubling/2: the inference server does not have it',
    ]);
  });
});

test('a server that is something else is a server that is away', async () => {
  const served = await serve((_, response) => response.end('<html>'));
  const errors: unknown[] = [];
  const options = {
    repository: await manifestsOf(doubling),
    onAvailability: (_: boolean, error: unknown) => errors.push(error),
  };
  const remote = await connectTo(served, options);
  expect(errors).toEqual([expect.objectContaining({ fault: 'unreachable', status: 200 })]);
  expect(await failureOf(double(remote, 1))).toMatchObject(notAvailable);
});
