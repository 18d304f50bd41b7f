/** The folder of models: `<name>/<version>/` with manifest.json and model.onnx. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VersionFailure } from './engine.ts';
import { type Manifest, parseManifest } from './manifest.ts';

export interface ModelFiles {
  readonly manifest: Manifest;
  readonly modelPath: string;
}

export interface ModelRepository {
  /** Ordered by name and version. */
  readonly versions: readonly ModelFiles[];
  readonly failures: readonly VersionFailure[];
}

/**
 * Finds all versions in a folder. A broken version becomes a failure; folders without any manifest or model are not
 * models (such as models/training). Throws only when the folder itself cannot be read.
 */
export async function scanModelRepository(directory: string): Promise<ModelRepository> {
  const versions: ModelFiles[] = [];
  const failures: VersionFailure[] = [];
  for (const name of await subfolders(directory)) {
    for (const version of await subfolders(join(directory, name))) {
      try {
        const files = await readVersion(directory, name, version);
        if (files !== null) versions.push(files);
      } catch (error) {
        failures.push({ name, version, task: null, error: (error as Error).message });
      }
    }
  }
  return { versions, failures };
}

/** The bytes of model.onnx when they have that sha256 (hex); otherwise throws an Error of one line. */
export async function readModelBytes(modelPath: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readFile(modelPath);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) {
    throw new Error(`model.onnx: expected the sha256 of manifest.json, ${sha256}, got ${actual}`);
  }
  return bytes;
}

async function readVersion(directory: string, name: string, version: string): Promise<ModelFiles | null> {
  const folder = join(directory, name, version);
  const files = await readdir(folder);
  const hasModel = files.includes('model.onnx');
  if (!files.includes('manifest.json')) {
    if (!hasModel) return null;
    throw new Error(`${name}/${version}/manifest.json: expected a file beside model.onnx, got nothing`);
  }
  const file = `${name}/${version}/manifest.json`;
  const manifest = parseManifest(await readFile(join(folder, 'manifest.json'), 'utf8'), file);
  checkFolderName(file, 'name', manifest.name, name);
  checkFolderName(file, 'version', manifest.version, version);
  if (!hasModel) throw new Error(`${name}/${version}/model.onnx: expected a file, got nothing`);
  const modelPath = join(folder, 'model.onnx');
  await readModelBytes(modelPath, manifest.sha256);
  return { manifest, modelPath };
}

function checkFolderName(file: string, field: string, value: string, folder: string): void {
  if (value === folder) return;
  throw new Error(
    `${file}: ${field}: expected the folder's name ${JSON.stringify(folder)}, got ${JSON.stringify(value)}`,
  );
}

// Version 10 comes after version 9.
const byName = new Intl.Collator('en', { numeric: true }).compare;

// stat follows symbolic links, which is how Kubernetes mounts folders; its own bookkeeping starts with a dot.
async function subfolders(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort(byName);
  const entries = await Promise.all(
    names.map(async (name) => ({ name, isFolder: await isFolder(join(directory, name)) })),
  );
  return entries.filter((entry) => entry.isFolder).map((entry) => entry.name);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // a dangling link
  }
}
