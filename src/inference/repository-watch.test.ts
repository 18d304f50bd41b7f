import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { InferenceEngine } from './engine.ts';
import { type ModelRepository, scanModelRepository } from './repository.ts';
import { type VersionChanges, watchModels, watchRepository } from './repository-watch.ts';
import { countThreads, startEngine, temporaryFolder } from './testing-engine.ts';
import { scalingGraph, type TestVersion, writeTestVersion } from './testing-model.ts';
import { brokenStart } from './testing-worker.ts';

const pollMs = 20;

function scaling(version: number, factor = version): TestVersion {
  return { name: 'scaling', version: String(version), graph: scalingGraph(factor) };
}

function versionsOf(repository: ModelRepository | undefined): string[] | undefined {
  return repository?.versions.map(({ manifest }) => `${manifest.name}/${manifest.version}`);
}

function listed(engine: InferenceEngine): string[] {
  return engine.versions().map(({ name, version }) => `${name}/${version}`);
}

/** A watch on its own, with what it found and what it said. */
function startWatch(directory: string, onChange: (repository: ModelRepository) => Promise<void> = async () => {}) {
  const found: ModelRepository[] = [];
  const problems: Error[] = [];
  const watch = watchRepository({
    directory,
    pollMs,
    onChange: (repository) => {
      found.push(repository);
      return onChange(repository);
    },
    onProblem: (error) => problems.push(error),
  });
  onTestFinished(() => watch.close());
  return { watch, found, problems };
}

/** An engine that follows a folder with scaling/1, and what was said of that. */
async function startFollowing(workerFile?: URL) {
  const directory = await temporaryFolder();
  const engine = await startEngine([scaling(1)], { retireGraceMs: 0, ...(workerFile && { workerFile }) }, directory);
  const repository = await scanModelRepository(directory);
  const swaps: VersionChanges[] = [];
  const problems: Error[] = [];
  const watch = watchModels({
    directory,
    pollMs,
    engine,
    repository,
    onSwap: (changes) => swaps.push(changes),
    onProblem: (error) => problems.push(error),
  });
  onTestFinished(() => watch.close());
  return { directory, engine, swaps, problems };
}

/** Puts versions in place at once, so that no look finds one half written. */
async function place(directory: string, ...versions: readonly TestVersion[]): Promise<void> {
  const elsewhere = await temporaryFolder();
  const written: string[] = [];
  for (const version of versions) written.push(await writeTestVersion(elsewhere, version));
  for (const folder of written) {
    const target = join(directory, folder.slice(elsewhere.length));
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    renameSync(folder, target);
  }
}

// More looks than it takes to read what has settled.
async function lookOn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10 * pollMs));
}

test('tells what the folder holds, once for each change of any file', async () => {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, scaling(1));
  const { found } = startWatch(directory);
  await expect.poll(() => found.length).toBe(1);
  await lookOn();
  expect(found.map(versionsOf)).toEqual([['scaling/1']]);
  const folder = await writeTestVersion(directory, scaling(2));
  await expect.poll(() => versionsOf(found.at(-1))).toEqual(['scaling/1', 'scaling/2']);
  await writeTestVersion(directory, { ...scaling(2), manifest: { description: 'other' } });
  await expect.poll(() => found.at(-1)?.versions[1]?.manifest.description).toBe('other');
  const seen = found.length;
  await utimes(join(folder, 'model.onnx'), new Date(), new Date(0));
  await expect.poll(() => found.length).toBe(seen + 1);
  await rm(folder, { recursive: true });
  await expect.poll(() => versionsOf(found.at(-1))).toEqual(['scaling/1']);
});

test('follows a link that is pointed elsewhere, as Kubernetes mounts folders', async () => {
  const directory = await temporaryFolder();
  const targets = [join(directory, '..one'), join(directory, '..two')];
  await writeTestVersion(targets[0]!, scaling(1));
  await writeTestVersion(targets[1]!, scaling(1, 10));
  const same = await stat(join(targets[0]!, 'scaling', '1', 'model.onnx'));
  for (const target of targets) {
    for (const file of ['model.onnx', 'manifest.json']) {
      await utimes(join(target, 'scaling', '1', file), same.atime, same.mtime);
    }
  }
  await symlink(targets[0]!, join(directory, '..data'));
  await symlink(join('..data', 'scaling'), join(directory, 'scaling'));
  const { found } = startWatch(directory);
  await expect.poll(() => found.length).toBe(1);
  await symlink(targets[1]!, join(directory, '..new'));
  await rename(join(directory, '..new'), join(directory, '..data'));
  await expect.poll(() => found.length).toBe(2);
  expect(found[1]!.versions[0]!.manifest.sha256).not.toBe(found[0]!.versions[0]!.manifest.sha256);
});

test('reads nothing while a file still changes', async () => {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, scaling(1));
  const { found } = startWatch(directory);
  await expect.poll(() => found.length).toBe(1);
  const elsewhere = await writeTestVersion(await temporaryFolder(), scaling(2));
  const folder = join(directory, 'scaling', '2');
  await mkdir(folder);
  await copyFile(join(elsewhere, 'manifest.json'), join(folder, 'manifest.json'));
  // Another size at each look, however late it comes.
  let size = 1;
  const copying = setInterval(() => writeFileSync(join(folder, 'model.onnx'), new Uint8Array(size++)), pollMs / 5);
  await expect.poll(() => size).toBeGreaterThan(50);
  clearInterval(copying);
  expect(found).toHaveLength(1);
  await copyFile(join(elsewhere, 'model.onnx'), join(folder, 'model.onnx'));
  await expect.poll(() => versionsOf(found.at(-1))).toEqual(['scaling/1', 'scaling/2']);
});

test('says once that the folder is gone, and goes on when it is back', async () => {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, scaling(1));
  const { found, problems } = startWatch(directory);
  await expect.poll(() => found.length).toBe(1);
  await rename(directory, `${directory} away`);
  await expect.poll(() => problems.length).toBe(1);
  await lookOn();
  expect(problems).toMatchObject([{ message: 'the folder of models cannot be read', cause: { code: 'ENOENT' } }]);
  await rename(`${directory} away`, directory);
  await lookOn();
  expect(found).toHaveLength(1);
  await writeTestVersion(directory, scaling(2));
  await expect.poll(() => versionsOf(found.at(-1))).toEqual(['scaling/1', 'scaling/2']);
});

test('tries a change again that could not be served', async () => {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, scaling(1));
  const { found, problems } = startWatch(directory, async () => {
    if (found.length === 1) throw new Error('not now');
  });
  await expect.poll(() => found.length).toBe(2);
  await lookOn();
  expect(found).toHaveLength(2);
  expect(problems).toMatchObject([{ cause: { message: 'not now' } }]);
});

test('never looks when it is told so, or after it was closed within a change', async () => {
  const directory = await temporaryFolder();
  await writeTestVersion(directory, scaling(1));
  const never = { directory, onChange: () => expect.unreachable(), onProblem: () => expect.unreachable() };
  const off = watchRepository({ ...never, pollMs: 0 });
  const { watch, found, problems } = startWatch(directory, async () => {
    watch.close();
    throw new Error('nobody hears this any more');
  });
  await expect.poll(() => found.length).toBe(1);
  await writeTestVersion(directory, scaling(2));
  await lookOn();
  expect(found).toHaveLength(1);
  expect(problems).toEqual([]);
  off.close();
});

test('the engine serves what the folder holds, and it is told what came and went', async () => {
  const { directory, engine, swaps, problems } = await startFollowing();
  await place(directory, scaling(2));
  await expect.poll(() => listed(engine)).toEqual(['scaling/1', 'scaling/2']);
  const placed = place(directory, scaling(2, 20), { ...scaling(3), bytes: new Uint8Array(9) });
  await placed.then(() => rmSync(join(directory, 'scaling', '1'), { recursive: true }));
  await expect.poll(() => engine.failures().length).toBe(1);
  await expect.poll(() => listed(engine)).toEqual(['scaling/2']);
  await place(directory, scaling(3));
  await expect.poll(() => listed(engine)).toEqual(['scaling/2', 'scaling/3']);
  const all = (key: 'added' | 'changed' | 'retired') => swaps.flatMap((changes) => changes[key]);
  await expect.poll(() => all('added')).toEqual(['scaling/2', 'scaling/3']);
  expect(all('changed')).toEqual(['scaling/2']);
  expect(all('retired')).toEqual(['scaling/1']);
  expect(swaps.flatMap(({ failed }) => failed)).toEqual([
    expect.objectContaining({
      version: '3',
      error: expect.stringMatching(/^scaling\/3\/model.onnx: cannot be loaded/),
    }),
  ]);
  expect(problems).toEqual([]);
});

test('the engine starts no threads for files that are what they were', async () => {
  const { directory, swaps } = await startFollowing();
  const threads = countThreads();
  utimesSync(join(directory, 'scaling', '1', 'model.onnx'), new Date(), new Date());
  await lookOn();
  expect(threads()).toBe(0);
  expect(swaps).toEqual([]);
});

test('the engine keeps its versions while the folder is gone, empty, or cannot be loaded', async () => {
  const { directory, engine, swaps, problems } = await startFollowing(new URL('./testing-worker.ts', import.meta.url));
  await rename(directory, `${directory} away`);
  await expect.poll(() => problems.length).toBe(1);
  await mkdir(directory);
  await expect.poll(() => problems.length).toBeGreaterThan(1);
  expect(problems[1]).toMatchObject({ cause: { message: 'the folder is empty' } });
  expect(listed(engine)).toEqual(['scaling/1']);
  rmSync(directory, { recursive: true });
  renameSync(`${directory} away`, directory);
  await writeFile(join(directory, brokenStart), '');
  await place(directory, scaling(2));
  await expect.poll(() => problems.at(-1)?.cause).toMatchObject({ message: 'exit code 5' });
  expect(listed(engine)).toEqual(['scaling/1']);
  await rm(join(directory, brokenStart));
  await expect.poll(() => listed(engine)).toEqual(['scaling/1', 'scaling/2']);
  expect(swaps).toEqual([{ added: ['scaling/2'], changed: [], retired: [], failed: [] }]);
});
