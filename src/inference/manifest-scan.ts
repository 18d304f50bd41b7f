/** Manifests of a models folder without their models, for a process whose models run elsewhere. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VersionFailure } from './engine.ts';
import { type Manifest, parseManifest } from './manifest.ts';

export interface ScannedManifests {
  /** Ordered by name and version. */
  readonly versions: readonly { readonly manifest: Manifest }[];
  readonly failures: readonly VersionFailure[];
}

/**
 * Reads `<name>/<version>/manifest.json` of all versions; model.onnx need not be there. A broken manifest becomes a
 * failure. Throws only when the folder itself cannot be read.
 */
export async function scanManifests(directory: string): Promise<ScannedManifests> {
  const versions: { manifest: Manifest }[] = [];
  const failures: VersionFailure[] = [];
  for (const name of await visibleEntries(directory)) {
    for (const version of await visibleEntries(join(directory, name)).catch(() => [])) {
      try {
        const manifest = await readManifest(directory, name, version);
        if (manifest !== null) versions.push({ manifest });
      } catch (error) {
        failures.push({ name, version, error: (error as Error).message });
      }
    }
  }
  return { versions, failures };
}

async function readManifest(directory: string, name: string, version: string): Promise<Manifest | null> {
  const file = `${name}/${version}/manifest.json`;
  const text = await readFile(join(directory, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw new Error(`${file}: cannot be read (${error.code})`);
  });
  if (text === null) return null;
  const manifest = parseManifest(text, file);
  if (manifest.name === name && manifest.version === version) return manifest;
  throw new Error(`${file}: expected the name and version of its folder, got ${manifest.name}/${manifest.version}`);
}

// Version 10 comes after version 9.
const byName = new Intl.Collator('en', { numeric: true }).compare;

async function visibleEntries(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => !name.startsWith('.')).sort(byName);
}
