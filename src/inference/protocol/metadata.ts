/** Metadata of servers and models as the protocol has it, written by the server and read by the client. */
import { z } from 'zod';
import type { LoadedVersion } from '../engine.ts';
import type { Manifest, TensorSpec } from '../manifest.ts';
import { datatypeOf } from './datatypes.ts';

/** What our own servers call themselves. */
export const ourName = 'tributary';
export const binaryExtension = 'binary_tensor_data';

export const serverMetadataSchema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  extensions: z.array(z.string()).default([]),
});

// State and version of a foreign server may be missing or null.
export const repositoryIndexSchema = z.array(
  z.object({
    name: z.string(),
    version: z.coerce.string().nullish(),
    state: z.string().nullish(),
    reason: z.string().nullish(),
  }),
);

const tensorMetadata = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.coerce.number()) });

export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.coerce.string()).nullish(),
  inputs: z.array(tensorMetadata).default([]),
  outputs: z.array(tensorMetadata).default([]),
  parameters: z.record(z.string(), z.unknown()).nullish(),
});

export type ServerMetadata = z.output<typeof serverMetadataSchema>;
export type IndexEntry = z.output<typeof repositoryIndexSchema>[number];
export type ModelMetadata = z.output<typeof modelMetadataSchema>;
type TensorMetadata = z.output<typeof tensorMetadata>;

/** The metadata of a version; `versions` are all of its model that are served. */
export function describeModel(version: LoadedVersion, versions: readonly string[]) {
  const { name, manifest, executionProvider, precision } = version;
  return {
    name,
    versions,
    platform: 'onnx_onnxv1',
    inputs: manifest.inputs.map(describeTensor),
    outputs: manifest.outputs.map(describeTensor),
    parameters: {
      tributary_manifest: JSON.stringify(manifest),
      execution_provider: executionProvider,
      precision,
    },
  };
}

/** A parameter of a model that is a string; undefined when it has none of this name. */
export function textParameter({ parameters }: ModelMetadata, name: string): string | undefined {
  const value = parameters && Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/**
 * Why a model cannot serve what a manifest says, in one line; null when it can. A server that names no tensors at all
 * (KServe's default) is believed; its answers are checked.
 */
export function findDisagreement(manifest: Manifest, { inputs, outputs }: ModelMetadata): string | null {
  if (inputs.length === 0 && outputs.length === 0) return null;
  const unknown = inputs.find(({ name }) => !manifest.inputs.some((spec) => spec.name === name));
  if (unknown !== undefined) return `expected no input ${JSON.stringify(unknown.name.slice(0, 40))}`;
  return compareTensors('input', manifest.inputs, inputs) ?? compareTensors('output', manifest.outputs, outputs);
}

function describeTensor({ name, type, shape }: TensorSpec) {
  return { name, datatype: datatypeOf(type), shape: shape.map((size) => (typeof size === 'number' ? size : -1)) };
}

function compareTensors(kind: string, specs: readonly TensorSpec[], tensors: readonly TensorMetadata[]): string | null {
  for (const spec of specs) {
    const actual = tensors.find(({ name }) => name === spec.name);
    const expected = describeTensor(spec);
    if (actual !== undefined && actual.datatype === expected.datatype && holdsShape(actual.shape, expected.shape))
      continue;
    const got =
      actual === undefined ? 'nothing' : `${actual.datatype.slice(0, 20)} [${actual.shape.slice(0, 8).join(', ')}]`;
    return `${kind} ${spec.name}: expected ${expected.datatype} [${expected.shape.join(', ')}], got ${got}`;
  }
  return null;
}

// An axis that is open there may be fixed here, never the other way round.
function holdsShape(actual: readonly number[], expected: readonly number[]): boolean {
  return actual.length === expected.length && actual.every((size, axis) => size === -1 || size === expected[axis]);
}
