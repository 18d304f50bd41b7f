import { mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scanModelRepository } from './repository.ts';
import { identityGraph, writeTestVersion } from './testing-model.ts';

const graph = identityGraph('float32', [2]);
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'repository '));
});
afterEach(() => rm(directory, { recursive: true }));

async function failureOf(name: string, version: string): Promise<string | undefined> {
  const { failures } = await scanModelRepository(directory);
  return failures.find((failure) => failure.name === name && failure.version === version)?.error;
}

describe('scanModelRepository', () => {
  test('finds versions in their natural order, also behind symbolic links', async () => {
    for (const version of ['10', '9', '9-int8']) await writeTestVersion(directory, { name: 'b', version, graph });
    await symlink(join(directory, 'b'), join(directory, 'linked'));
    await writeTestVersion(directory, { name: 'a', version: '1', graph });
    const { versions, failures } = await scanModelRepository(directory);
    expect(versions.map(({ manifest }) => `${manifest.name}/${manifest.version}`)).toEqual([
      'a/1',
      'b/9',
      'b/9-int8',
      'b/10',
    ]);
    expect(failures.map((failure) => failure.name)).toEqual(['linked', 'linked', 'linked']);
  });

  test('ignores folders and files that are no models', async () => {
    await mkdir(join(directory, 'training', 'data'), { recursive: true });
    await mkdir(join(directory, '.git', 'x'), { recursive: true });
    await writeFile(join(directory, 'README.md'), '');
    await writeFile(join(directory, 'training', 'data', 'train.ts'), '');
    expect(await scanModelRepository(directory)).toEqual({ versions: [], failures: [] });
  });

  test('reports a model whose bytes are not those of its manifest, and still finds the others', async () => {
    await writeTestVersion(directory, { name: 'a', version: '1', graph, manifest: { sha256: '0'.repeat(64) } });
    await writeTestVersion(directory, { name: 'a', version: '2', graph });
    const { versions } = await scanModelRepository(directory);
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['2']);
    expect(await failureOf('a', '1')).toMatch(
      /model.onnx: expected the sha256 of manifest.json, 0{64}, got [0-9a-f]{64}$/,
    );
  });

  test('reports a manifest that names another model or version than its folders', async () => {
    await writeTestVersion(directory, { name: 'a', version: '1', graph, manifest: { name: 'other' } });
    await writeTestVersion(directory, { name: 'a', version: '2', graph, manifest: { version: '3' } });
    expect(await failureOf('a', '1')).toBe(`a/1/manifest.json: name: expected the folder's name "a", got "other"`);
    expect(await failureOf('a', '2')).toBe(`a/2/manifest.json: version: expected the folder's name "2", got "3"`);
  });

  test('reports half a version, broken JSON and a folder name that no manifest may have', async () => {
    await rm(join(await writeTestVersion(directory, { name: 'a', version: '1', graph }), 'model.onnx'));
    await rm(join(await writeTestVersion(directory, { name: 'a', version: '2', graph }), 'manifest.json'));
    await writeFile(join(await writeTestVersion(directory, { name: 'a', version: '3', graph }), 'manifest.json'), '{');
    await writeTestVersion(directory, { name: 'good', version: '1', graph });
    await rename(join(directory, 'good'), join(directory, 'Bad Name'));
    expect(await failureOf('a', '1')).toBe('a/1/model.onnx: expected a file, got nothing');
    expect(await failureOf('a', '2')).toBe('a/2/manifest.json: expected a file beside model.onnx, got nothing');
    expect(await failureOf('a', '3')).toBe('a/3/manifest.json: expected JSON, got "{"');
    expect(await failureOf('Bad Name', '1')).toMatch(/expected the folder's name "Bad Name", got "good"$/);
  });

  test('knows the task of a broken version when its manifest can be read', async () => {
    await writeTestVersion(directory, { name: 'a', version: '1', graph, manifest: { sha256: '0'.repeat(64) } });
    await writeFile(join(await writeTestVersion(directory, { name: 'a', version: '2', graph }), 'manifest.json'), '{');
    const { failures } = await scanModelRepository(directory);
    expect(failures.map(({ version, task }) => [version, task])).toEqual([
      ['1', 'SENTIMENT'],
      ['2', null],
    ]);
  });

  test('reports files that are too large, before it reads them', async () => {
    const manifestPath = join(await writeTestVersion(directory, { name: 'a', version: '1', graph }), 'manifest.json');
    await truncate(manifestPath, 2 ** 20 + 1);
    const modelPath = join(await writeTestVersion(directory, { name: 'a', version: '2', graph }), 'model.onnx');
    await truncate(modelPath, 2 ** 31); // takes no space on the disk
    expect(await failureOf('a', '1')).toBe('a/1/manifest.json: expected at most 1048576 bytes, got 1048577');
    expect(await failureOf('a', '2')).toBe('a/2/model.onnx: expected at most 2147483647 bytes, got 2147483648');
  });

  test('reports what is no file or cannot be read, by its place in the folder', async () => {
    for (const file of ['manifest.json', 'model.onnx']) {
      const path = join(await writeTestVersion(directory, { name: 'a', version: file.slice(0, 5), graph }), file);
      await rm(path);
      await mkdir(path);
    }
    await mkdir(join(directory, 'a', 'loop'));
    await symlink('model.onnx', join(directory, 'a', 'loop', 'model.onnx'));
    await symlink('manifest.json', join(directory, 'a', 'loop', 'manifest.json'));
    await symlink('circle', join(directory, 'a', 'circle'));
    await symlink('b', join(directory, 'b'));
    await symlink('nowhere', join(directory, 'dangling'));
    await writeTestVersion(directory, { name: 'good', version: '1', graph });
    const { versions, failures } = await scanModelRepository(directory);
    expect(versions.map(({ manifest }) => manifest.name)).toEqual(['good']);
    expect(Object.fromEntries(failures.map(({ name, version, error }) => [`${name}/${version}`, error]))).toEqual({
      'a/manif': 'a/manif/manifest.json: expected a file, got something else',
      'a/model': 'a/model/model.onnx: expected a file, got something else',
      'a/loop': 'a/loop/manifest.json: expected a file that can be read, got ELOOP',
      'a/circle': 'a/circle: expected a folder that can be read, got ELOOP',
      'b/*': 'b: expected a folder that can be read, got ELOOP',
    });
  });

  test('says when the folder itself cannot be read', async () => {
    await expect(scanModelRepository(join(directory, 'absent'))).rejects.toThrow(/ENOENT/);
  });
});
