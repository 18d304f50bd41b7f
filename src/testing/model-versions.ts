import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ModelFolder extends AsyncDisposable {
  directory: string;
}

/**
 * A folder with the shipped models and, of those named, copies of version 1 under other names: the same file, so that
 * only the name tells the versions apart. To be deleted by whoever asks for it.
 */
export async function createModelFolder(copies: Readonly<Record<string, readonly string[]>>): Promise<ModelFolder> {
  const directory = await mkdtemp(join(tmpdir(), 'models '));
  for (const model of ['embedding', 'energy-forecast', 'sentiment']) {
    const original = join('models', model, '1');
    await cp(original, join(directory, model, '1'), { recursive: true });
    const manifest = JSON.parse(await readFile(join(original, 'manifest.json'), 'utf8')) as object;
    for (const version of copies[model] ?? []) {
      const copy = join(directory, model, version);
      await cp(original, copy, { recursive: true });
      await writeFile(join(copy, 'manifest.json'), JSON.stringify({ ...manifest, version }));
    }
  }
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}
