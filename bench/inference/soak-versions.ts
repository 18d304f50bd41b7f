/** What the soak swaps: a second version of the sentiment model comes, changes its file and goes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeModel } from '../../models/training/artifact.ts';
import { writeOnnx } from '../../models/training/onnx.ts';
import { readOnnx } from '../../models/training/onnx-reader.ts';
import type { ModelFiles, ModelRepository } from '../../src/inference/repository.ts';

/** Repositories to swap to, one after the other and then from the first again. The last one is what was there before. */
export interface SwappedVersions {
  readonly repositories: readonly ModelRepository[];
  /** Files of the second version, under one name. */
  readonly files: readonly ModelFiles[];
}

// Each moves all of a model's outputs, so that the answer of another file is a wrong one.
const biases = [1, -1];

/** Writes a sentiment/2 with other bytes for each repository below the directory. */
export function writeSwappedVersions(directory: string, base: ModelRepository): SwappedVersions {
  const first = base.versions.findIndex(({ manifest }) => manifest.name === 'sentiment');
  const files = biases.map((bias, at) => writeBiased(join(directory, `swapped-${at}`), base.versions[first]!, bias));
  const withSecond = files.map((second) => ({ ...base, versions: base.versions.toSpliced(first + 1, 0, second) }));
  return { repositories: [...withSecond, base], files };
}

function writeBiased(directory: string, { manifest, modelPath }: ModelFiles, bias: number): ModelFiles {
  const graph = readOnnx(readFileSync(modelPath));
  const constants = graph.constants.map((constant) =>
    constant.name === 'bias'
      ? { ...constant, data: (constant.data as Float32Array).map((value) => value + bias) }
      : constant,
  );
  const { sha256: _, ...rest } = manifest;
  const changed = writeModel(directory, writeOnnx({ ...graph, constants }), { ...rest, version: '2' });
  return { manifest: changed, modelPath: join(directory, 'model.onnx') };
}
