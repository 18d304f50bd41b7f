import { GraphQLError, Kind } from 'graphql';
import { z } from 'zod';
import type { InferenceEngine } from '../../../inference/engine.ts';
import { elementTypes, type Manifest, type TensorSpec } from '../../../inference/manifest.ts';
import { builder } from '../../../schema/builder.ts';
import { line, parseInput } from '../../../schema/input.ts';
import type { ModelVersionEntry } from '../models.ts';
import { maxTensorElements, maxTensorRows } from '../tensor-input.ts';
import { predictTensors, type TensorOutput, type TensorPrediction } from '../tensor-predict.ts';
import { showValue, type TensorValue } from '../tensor-values.ts';
import { ModelVersionRef } from './models.ts';

const TensorType = builder.enumType('TensorType', {
  description: 'What the elements of a tensor are.',
  values: Object.fromEntries(
    elementTypes.map((type) => [
      type.toUpperCase(),
      { value: type, description: type === 'bool' ? 'true or false.' : `Numbers of ${describeType(type)}.` },
    ]),
  ) as Record<string, { value: TensorSpec['type']; description: string }>,
});

function describeType(type: string): string {
  const [, kind, bits] = /^(float|int|uint)(\d+)$/.exec(type)!;
  if (kind === 'float') return `${bits}-bit floating point`;
  return `${bits} bits, whole${kind === 'uint' ? ' and not negative' : ''}`;
}

builder.scalarType('TensorValue', {
  description:
    'An element of a tensor: a number, or a boolean for BOOL. What JSON numbers cannot hold is text: "NaN", "Infinity" and "-Infinity", and 64-bit integers beyond 2^53 in decimal digits.',
  serialize: (value) => showValue(value as TensorValue),
  parseValue: (value) => readValue(value),
  parseLiteral: (node) => {
    if (node.kind === Kind.INT) return readInteger(node.value);
    if (node.kind === Kind.FLOAT) return Number(node.value);
    return readValue(node.kind === Kind.STRING || node.kind === Kind.BOOLEAN ? node.value : undefined);
  },
});

const wantedInput = z.object({ model: line(64), version: line(32).optional() });

/** Whether it fits its tensor is known only with the model. */
function readValue(value: unknown): TensorValue {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
  throw new GraphQLError('expected a number, a boolean or a text', { extensions: { code: 'BAD_USER_INPUT' } });
}

// No integer type has more digits; a longer text would only take time.
function readInteger(digits: string): TensorValue {
  const number = Number(digits);
  return Number.isSafeInteger(number) || digits.length > 21 ? number : BigInt(digits);
}

const TensorInputRef = builder.inputType('TensorInput', {
  description: 'A tensor of one or more rows.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The name of an input of the model.' }),
    shape: t.intList({
      required: true,
      description: `Its sizes, rows first: 1 to ${maxTensorRows}, as many in all tensors of a request.`,
    }),
    values: t.field({
      type: ['TensorValue'],
      required: true,
      description: 'Its elements in row-major order: the last axis runs fastest.',
    }),
  }),
});

const TensorRef = builder.objectRef<TensorOutput>('Tensor').implement({
  description: 'A tensor of one or more rows.',
  fields: (t) => ({
    name: t.string({ description: 'The name of an output of the model.', resolve: ({ spec }) => spec.name }),
    type: t.field({ type: TensorType, description: 'What its elements are.', resolve: ({ spec }) => spec.type }),
    shape: t.intList({ description: 'Its sizes, rows first.', resolve: ({ shape }) => [...shape] }),
    values: t.field({
      type: ['TensorValue'],
      description: 'Its elements in row-major order: the last axis runs fastest.',
      // The executor takes typed arrays as they are.
      resolve: ({ spec, data }) =>
        (spec.type === 'bool' ? Array.from(data as Uint8Array, (bit) => bit !== 0) : data) as TensorValue[],
    }),
  }),
});

const TensorPredictionRef = builder.objectRef<TensorPrediction>('TensorPrediction').implement({
  description: 'What a model makes of tensors.',
  fields: (t) => ({
    modelVersion: t.expose('modelVersion', { type: ModelVersionRef, description: 'What made it.' }),
    outputs: t.expose('outputs', {
      type: [TensorRef],
      listSize: { assumedSize: 4 },
      description: 'The outputs of the model, in the order of its manifest.',
    }),
  }),
});

const TensorSpecRef = builder.objectRef<TensorSpec>('TensorSpec').implement({
  description: 'A tensor that a model takes or gives.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    type: t.expose('type', { type: TensorType, description: 'What its elements are.' }),
    shape: t.field({
      type: ['Int'],
      nullable: { list: false, items: true },
      description: 'Its sizes, rows first; null where any size will do.',
      resolve: ({ shape }) => shape.map((size) => (typeof size === 'number' ? size : null)),
    }),
    axes: t.field({
      type: ['String'],
      nullable: { list: false, items: true },
      description: 'Names where shape has null: axes of one name have one size within a row. null elsewhere.',
      resolve: ({ shape }) => shape.map((size) => (typeof size === 'string' ? size : null)),
    }),
  }),
});

builder.objectFields(ModelVersionRef, (t) => ({
  inputs: t.field({
    type: [TensorSpecRef],
    listSize: { assumedSize: 4 },
    description: 'The tensors it takes; none once it is retired.',
    resolve: (entry, _args, { inference }) => manifestOf(inference, entry)?.inputs ?? [],
  }),
  outputs: t.field({
    type: [TensorSpecRef],
    listSize: { assumedSize: 4 },
    description: 'The tensors it gives; none once it is retired.',
    resolve: (entry, _args, { inference }) => manifestOf(inference, entry)?.outputs ?? [],
  }),
}));

function manifestOf(inference: InferenceEngine, { model, version }: ModelVersionEntry): Manifest | undefined {
  return inference.versions().find((loaded) => loaded.name === model && loaded.version === version)?.manifest;
}

builder.queryField('predict', (t) =>
  t.field({
    type: TensorPredictionRef,
    scope: 'read',
    cost: 20,
    listSize: { slicingArguments: ['inputs'] },
    description:
      'What a model makes of tensors; models of every task may be asked, without the processing of their task. All rows of all requests share the batches.',
    args: {
      model: t.arg.string({ required: true, description: 'The name of a model.' }),
      version: t.arg.string({ description: 'One of its loaded versions; by default the one that serves.' }),
      inputs: t.arg({
        type: [TensorInputRef],
        required: true,
        description: `A tensor for each of its inputs; at most ${maxTensorElements} elements in all.`,
      }),
    },
    resolve: (_root, { model, version, inputs }, context) => {
      const wanted = parseInput(wantedInput, { model, version }, '');
      return predictTensors(context, wanted, inputs);
    },
  }),
);
