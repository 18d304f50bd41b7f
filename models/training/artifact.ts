/** Writes a trained model with its manifest, and checks the file against the network that it came from. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Manifest, type ManifestInput, manifestSchema, parseManifest } from '../../src/inference/manifest.ts';
import { DataError } from './data-files.ts';

/** A typed array as a tensor's data, with its shape. */
export interface Feed {
  type: 'float32' | 'int32';
  data: Float32Array | Int32Array;
  shape: readonly number[];
}

/** Writes model.onnx and manifest.json (with the file's sha256) into a directory; returns the manifest. */
export function writeModel(directory: string, onnx: Uint8Array, manifest: Omit<ManifestInput, 'sha256'>): Manifest {
  const sha256 = createHash('sha256').update(onnx).digest('hex');
  const complete = { ...manifest, sha256 };
  const checked = manifestSchema.parse(complete);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'model.onnx'), onnx);
  writeFileSync(join(directory, 'manifest.json'), `${JSON.stringify(complete, null, 2)}\n`);
  return checked;
}

/** The manifest and the path of model.onnx in a version's directory; a DataError if there is none. */
export function readModel(directory: string): { manifest: Manifest; onnxPath: string } {
  const file = join(directory, 'manifest.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new DataError(`cannot read ${file}: expected a trained model; train one with: npm run models -- train`);
  }
  return { manifest: parseManifest(text, file), onnxPath: join(directory, 'model.onnx') };
}

/** Every version under models/: one manifest and file size in bytes each. */
export function listModels(modelsDirectory: string): { manifest: Manifest; bytes: number }[] {
  const versions = readdirSync(modelsDirectory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('manifest.json'))
    .sort();
  return versions.map((path) => {
    const { manifest, onnxPath } = readModel(join(modelsDirectory, path, '..'));
    return { manifest, bytes: statSync(onnxPath).size };
  });
}

/** A session on one CPU thread. `model` is a path or the bytes of model.onnx. */
export async function openSession(model: string | Uint8Array): Promise<InferenceSession> {
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionProviders: ['cpu'] };
  return typeof model === 'string' ? InferenceSession.create(model, options) : InferenceSession.create(model, options);
}

/** Runs a model of one input and one output; returns the output's data. */
export async function runSession(session: InferenceSession, feed: Feed): Promise<Float32Array> {
  const tensor = new Tensor(feed.type, feed.data, feed.shape);
  const results = await session.run({ [session.inputNames[0]!]: tensor });
  return results[session.outputNames[0]!]!.data as Float32Array;
}

/** Largest absolute difference of two arrays of the same length; NaN if any difference is. */
export function maxDifference(first: ArrayLike<number>, second: ArrayLike<number>): number {
  if (first.length !== second.length) throw new Error(`expected ${first.length} values, got ${second.length}`);
  let largest = 0;
  for (let i = 0; i < first.length; i++) {
    const difference = Math.abs(first[i]! - second[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
