/** The folder of models: `<name>/<version>/` with manifest.json and model.onnx. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VersionFailure } from './engine.ts';
import { type Manifest, type ModelTask, parseManifest } from './manifest.ts';
import { hasExternalData } from './onnx-external-data.ts';

export interface ModelFiles {
  readonly manifest: Manifest;
  readonly modelPath: string;
}

export interface ModelRepository {
  /** Ordered by name and version. */
  readonly versions: readonly ModelFiles[];
  readonly failures: readonly VersionFailure[];
}

/** A folder that may hold a version. */
export interface VersionFolder {
  readonly name: string;
  readonly version: string;
  /** Why the folder of the whole model cannot be read; `version` is "*" then. */
  readonly error?: string;
}

const maxManifestBytes = 2 ** 20;
// No file of one protobuf message is larger, and Node reads none that is.
const maxModelBytes = 2 ** 31 - 1;
// Hashing takes the thread that serves requests: 1 ms for 1 to 2 MB.
const hashChunkBytes = 2 ** 19;

/** What a folder of models says of its versions; the models may lie elsewhere. */
export interface ScannedManifests {
  /** Ordered by name and version. */
  readonly versions: readonly { readonly manifest: Manifest }[];
  readonly failures: readonly VersionFailure[];
}

/**
 * Finds all versions in a folder. A broken version becomes a failure; folders without any manifest or model are not
 * models (such as models/training). Throws only when the folder itself cannot be read.
 */
export function scanModelRepository(directory: string): Promise<ModelRepository> {
  return scan(directory, async ({ manifest, folder, file, files }) => {
    if (!files.includes('model.onnx')) throw new Error(`${file}/model.onnx: expected a file, got nothing`);
    const modelPath = join(folder, 'model.onnx');
    await checkModelFile(modelPath, `${file}/model.onnx`, manifest.sha256);
    return { manifest, modelPath };
  });
}

/** The same for a process whose models run elsewhere: it needs no model.onnx, and reads none. */
export function scanManifests(directory: string): Promise<ScannedManifests> {
  return scan(directory, async ({ manifest }) => ({ manifest }));
}

/** Folders that may hold versions, ordered by name and version. Throws when the folder itself cannot be read. */
export async function listVersionFolders(directory: string): Promise<VersionFolder[]> {
  const found: VersionFolder[] = [];
  for (const name of await subfolders(directory)) {
    try {
      const versions = await readable(name, 'folder', subfolders(join(directory, name)));
      found.push(...versions.map((version) => ({ name, version })));
    } catch (error) {
      found.push({ name, version: '*', error: (error as Error).message });
    }
  }
  return found;
}

/**
 * The bytes of model.onnx when they have that sha256 (hex) and hold all weights; otherwise throws an Error of one line.
 */
export async function readModelBytes(modelPath: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readable('model.onnx', 'file', readFile(modelPath));
  checkHash('model.onnx', createHash('sha256').update(bytes).digest('hex'), sha256);
  if (hasExternalData(bytes)) {
    throw new Error('model.onnx: expected all weights in this file, got weights in files of their own (external data)');
  }
  return bytes;
}

/** A version whose manifest can be read, its folder, what that is called in messages, and the names of its files. */
interface FoundVersion {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly file: string;
  readonly files: readonly string[];
}

async function scan<Version>(directory: string, read: (found: FoundVersion) => Promise<Version>) {
  const versions: Version[] = [];
  const failures: VersionFailure[] = [];
  for (const found of await listVersionFolders(directory)) {
    let task: ModelTask | null = null;
    try {
      const version = await findVersion(directory, found);
      if (version === null) continue;
      ({ task } = version.manifest);
      checkFolderName(found, 'name', version.manifest.name);
      checkFolderName(found, 'version', version.manifest.version);
      versions.push(await read(version));
    } catch (error) {
      const { name, version } = found;
      failures.push({ name, version, task, error: (error as Error).message });
    }
  }
  return { versions, failures };
}

/** null: no version lies there. */
async function findVersion(directory: string, found: VersionFolder): Promise<FoundVersion | null> {
  if (found.error !== undefined) throw new Error(found.error);
  const file = `${found.name}/${found.version}`;
  const folder = join(directory, found.name, found.version);
  const files = await readable(file, 'folder', readdir(folder));
  if (!files.includes('model.onnx') && !files.includes('manifest.json')) return null;
  return { manifest: await readManifest(folder, found, files), folder, file, files };
}

async function readManifest(folder: string, found: VersionFolder, files: readonly string[]): Promise<Manifest> {
  const file = `${found.name}/${found.version}/manifest.json`;
  if (!files.includes('manifest.json')) throw new Error(`${file}: expected a file beside model.onnx, got nothing`);
  const path = join(folder, 'manifest.json');
  await checkSize(path, file, maxManifestBytes);
  return parseManifest(await readable(file, 'file', readFile(path, 'utf8')), file);
}

// In pieces: the thread that serves requests does this while versions are swapped.
async function checkModelFile(path: string, file: string, sha256: string): Promise<void> {
  await checkSize(path, file, maxModelBytes);
  const hash = createHash('sha256');
  const update = async () => {
    for await (const chunk of createReadStream(path, { highWaterMark: hashChunkBytes })) hash.update(chunk);
  };
  await readable(file, 'file', update());
  checkHash(file, hash.digest('hex'), sha256);
}

function checkHash(file: string, actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`${file}: expected the sha256 of manifest.json, ${expected}, got ${actual}`);
}

async function checkSize(path: string, file: string, maxBytes: number): Promise<void> {
  const found = await readable(file, 'file', stat(path));
  // Opening a pipe would wait for ever.
  if (!found.isFile()) throw new Error(`${file}: expected a file, got something else`);
  if (found.size > maxBytes) throw new Error(`${file}: expected at most ${maxBytes} bytes, got ${found.size}`);
}

function checkFolderName({ name, version }: VersionFolder, field: 'name' | 'version', value: string): void {
  const folder = field === 'name' ? name : version;
  if (value === folder) return;
  throw new Error(
    `${name}/${version}/manifest.json: ${field}: expected the folder's name ${JSON.stringify(folder)}, got ${JSON.stringify(value)}`,
  );
}

/** What was read; an error of the file system becomes one of one line that names the file and not where it lies. */
async function readable<Read>(file: string, kind: 'file' | 'folder', reading: Promise<Read>): Promise<Read> {
  try {
    return await reading;
  } catch (error) {
    throw new Error(`${file}: expected a ${kind} that can be read, got ${(error as NodeJS.ErrnoException).code}`);
  }
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

// What cannot be looked at counts as a folder, so that reading it says why.
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'; // a dangling link
  }
}
