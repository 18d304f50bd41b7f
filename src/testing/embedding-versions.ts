import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceEngine, PredictRequest } from '../inference/engine.ts';
import { scanModelRepository } from '../inference/repository.ts';
import { createWorkerEngine } from '../inference/worker-engine.ts';

/** An engine with versions 1 and 2 of the shipped embedding model, of which a test says which are there. */
export interface EmbeddingVersions extends InferenceEngine {
  /** Version names that versions() lists. */
  listed: Set<string>;
  /** Calls of predict so far. */
  requests: PredictRequest[];
  /** Throws in place of a prediction. */
  onPredict: ((request: PredictRequest) => void) | null;
}

/** Real models in a worker; the caller must close it. Version 1 is listed at first. */
export async function createEmbeddingVersions(): Promise<EmbeddingVersions> {
  const directory = await mkdtemp(join(tmpdir(), 'tributary-embedding-'));
  try {
    for (const version of ['1', '2']) {
      const folder = join(directory, 'embedding', version);
      await cp('models/embedding/1', folder, { recursive: true });
      const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as object;
      await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, version }));
    }
    const engine = await createWorkerEngine({ repository: await scanModelRepository(directory), workers: 1 });
    const requests: PredictRequest[] = [];
    const versions: EmbeddingVersions = {
      listed: new Set(['1']),
      requests,
      onPredict: null,
      versions: () => engine.versions().filter(({ version }) => versions.listed.has(version)),
      failures: () => engine.failures(),
      pendingRows: () => engine.pendingRows(),
      close: () => engine.close(),
      async predict(request) {
        requests.push(request);
        versions.onPredict?.(request);
        return engine.predict(request);
      },
    };
    return versions;
  } finally {
    await rm(directory, { recursive: true });
  }
}
