import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import type { InferenceEngine } from './inference/engine.ts';
import { InferenceError } from './inference/engine.ts';
import { createRemoteEngine } from './inference/remote-engine.ts';
import { scanManifests, scanModelRepository } from './inference/repository.ts';
import { outputOf } from './inference/testing-engine.ts';
import { createWorkerEngine } from './inference/worker-engine.ts';
import { findFreePort } from './testing/free-port.ts';

interface Run {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

function run(environment: Record<string, string>): Run {
  const child = spawn(process.execPath, ['src/inference-main.ts'], {
    env: { ...process.env, NODE_ENV: 'development', HOST: '127.0.0.1', INFERENCE_WORKERS: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, output: () => text, ended: once(child, 'close').then(([code]) => code as number | null) };
}

async function served({ output, child }: Run): Promise<string> {
  await expect.poll(() => output() + (child.exitCode ?? ''), { timeout: 30_000 }).toMatch(/http:\/\/[\d.:]+\/v2|^\d/);
  const origin = /at (http:\/\/[\d.:]+)\/v2/.exec(output());
  return origin?.[1] ?? expect.unreachable(output());
}

async function connectTo(url: string): Promise<InferenceEngine> {
  const engine = await createRemoteEngine({ url, repository: await scanManifests('models'), pollMs: 100 });
  onTestFinished(() => engine.close());
  return engine;
}

const sentimentOf = (value: number) => ({
  model: 'sentiment',
  version: '1',
  rows: [{ input_ids: { data: Int32Array.of(value, value + 1, 7), dims: [3] } }],
});

test('serves the shipped models without a database, and ends on SIGTERM', { timeout: 60_000 }, async () => {
  const first = run({ INFERENCE_PORT: '0' });
  const url = await served(first);
  const remote = await connectTo(url);
  const local = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
  onTestFinished(() => local.close());
  expect(remote.versions()).toEqual(local.versions());
  const [there] = await remote.predict(sentimentOf(5));
  const [here] = await local.predict(sentimentOf(5));
  expect(outputOf(there).outputs).toEqual(outputOf(here).outputs);

  const second = run({ INFERENCE_PORT: new URL(url).port });
  expect(await second.ended).toBe(1);
  expect(second.output()).toMatch(
    /^INFERENCE_PORT \d+ on 127.0.0.1 is taken: stop what uses it, or set INFERENCE_PORT$/m,
  );

  first.child.kill('SIGTERM');
  expect(await first.ended).toBe(0);
});

test('killed while calls run and started again, no answer is lost or wrong', { timeout: 60_000 }, async () => {
  const port = await findFreePort();
  const environment = { INFERENCE_PORT: String(port) };
  let server = run(environment);
  const remote = await connectTo(await served(server));
  const expected = new Map<number, unknown>();
  for (let value = 1; value <= 16; value++) {
    const [result] = await remote.predict(sentimentOf(value));
    expected.set(value, roundedOf(outputOf(result).outputs.probabilities!.data));
  }
  const counts = { right: 0, wrong: 0, unavailable: 0, other: 0 };
  let isOver = false;
  const caller = async (value: number) => {
    while (!isOver) {
      try {
        const [result] = await remote.predict(sentimentOf(value));
        if (result instanceof InferenceError) throw result;
        const isRight =
          JSON.stringify(roundedOf(result!.outputs.probabilities!.data)) === JSON.stringify(expected.get(value));
        counts[isRight ? 'right' : 'wrong']++;
      } catch (error) {
        counts[(error as InferenceError).kind === 'unavailable' ? 'unavailable' : 'other']++;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const callers = [...expected.keys()].map(caller);
  for (let kills = 0; kills < 2; kills++) {
    const before = counts.right;
    await expect.poll(() => counts.right).toBeGreaterThan(before + 100);
    server.child.kill('SIGKILL');
    await server.ended;
    const refused = counts.unavailable;
    await expect.poll(() => counts.unavailable).toBeGreaterThan(refused + 16);
    server = run(environment);
    await served(server);
  }
  const before = counts.right;
  await expect.poll(() => counts.right).toBeGreaterThan(before + 100);
  isOver = true;
  await Promise.all(callers);
  expect(counts).toMatchObject({ wrong: 0, other: 0 });
  expect(await remote.predict(sentimentOf(1))).toHaveLength(1);
});

// Rows that run together may differ in the last bits.
function roundedOf(data: ArrayLike<number | bigint>): string[] {
  return Array.from(data, (value) => Number(value).toFixed(4));
}
