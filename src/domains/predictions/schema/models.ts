import { requireViewer } from '../../../context.ts';
import { badUserInput } from '../../../errors.ts';
import type { VersionFailure } from '../../../inference/engine.ts';
import { builder } from '../../../schema/builder.ts';
import { line, parseInput } from '../../../schema/input.ts';
import { findModel, listModels, type ModelEntry, type ModelVersionEntry } from '../models.ts';
import { rolloutWeights } from '../serving.ts';

export const ModelTask = builder.enumType('ModelTask', {
  description: 'What a model does.',
  values: {
    SENTIMENT: { description: 'Says how positive a text is.' },
    FORECAST: { description: 'Says what a series will do.' },
    EMBEDDING: { description: 'Turns a text into a vector.' },
    TENSOR: { description: 'Turns tensors into tensors, as its manifest says.' },
  },
});

const Precision = builder.enumType('Precision', {
  description: 'How the weights of a model are stored.',
  values: {
    FP32: { description: '32-bit floating point.' },
    FP16: { description: '16-bit floating point.' },
    INT8: { description: '8-bit integers with scales.' },
  },
});

export const ModelRef = builder.objectRef<ModelEntry>('Model');
export const ModelVersionRef = builder.objectRef<ModelVersionEntry>('ModelVersion');

const FailedModelVersionRef = builder.objectRef<VersionFailure>('FailedModelVersion').implement({
  description: 'A version of a model that could not be loaded; nothing is ever asked of it.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The model’s folder in the model repository.' }),
    version: t.exposeString('version', { description: 'Its folder below the model’s.' }),
    task: t.expose('task', {
      type: ModelTask,
      nullable: true,
      description: 'What it would do; null when its manifest could not be read.',
    }),
    error: t.exposeString('error', { description: 'What is wrong with its files, in one line.' }),
  }),
});

function parseModelKey(key: string): string {
  if (/^[a-z0-9-]{1,64}$/.test(key)) return key;
  throw badUserInput({ path: 'id', message: 'expected a global id' });
}

function parseVersionKey(key: string): string {
  if (/^[a-z0-9-]{1,64}\/[a-z0-9.-]{1,32}$/.test(key)) return key;
  throw badUserInput({ path: 'id', message: 'expected a global id' });
}

builder.node(ModelRef, {
  // It hangs on which versions are loaded and rolled out, of which no statement tells.
  cache: { maxAgeSeconds: 0 },
  description: 'A model this server runs.',
  id: { resolve: (model) => model.name, parse: parseModelKey },
  loadWithoutCache: (name, { inference }) => findModel(inference, name),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its folder in the model repository.' }),
    task: t.expose('task', { type: ModelTask, description: 'What it does.' }),
    versions: t.expose('versions', {
      type: [ModelVersionRef],
      listSize: { assumedSize: 5 },
      description: 'The loaded versions, in order.',
    }),
    failedVersions: t.expose('failedVersions', {
      type: [FailedModelVersionRef],
      listSize: { assumedSize: 5 },
      description: 'Its versions that could not be loaded.',
    }),
  }),
});

builder.node(ModelVersionRef, {
  // It hangs on which versions are loaded and rolled out, of which no statement tells.
  cache: { maxAgeSeconds: 0 },
  description: 'One version of a model.',
  id: { resolve: ({ model, version }) => `${model}/${version}`, parse: parseVersionKey },
  loadWithoutCache: (key, { inference }) => {
    const [name = '', version] = key.split('/');
    return findModel(inference, name)?.versions.find((entry) => entry.version === version) ?? null;
  },
  fields: (t) => ({
    model: t.field({
      type: ModelRef,
      description: 'The model it is a version of.',
      resolve: ({ model }, _args, { inference }) => findModel(inference, model) as never,
    }),
    version: t.exposeString('version', { description: 'Its folder below the model’s.' }),
    precision: t.expose('precision', { type: Precision, description: 'How its weights are stored.' }),
    rolloutWeight: t.float({
      description: 'The share of the organization’s viewers whose calls it answers, 0 to 1.',
      resolve: ({ model, version }, _args, context) => {
        const weights = rolloutWeights(context, requireViewer(context).organizationId, model);
        return weights.find((entry) => entry.version === version)?.weight ?? 0;
      },
    }),
    executionProvider: t.exposeString('executionProvider', { description: 'Where it runs, such as cpu.' }),
  }),
});

builder.queryField('models', (t) =>
  t.field({
    type: [ModelRef],
    scope: 'read',
    listSize: { assumedSize: 10 },
    description: 'The models this server runs, or was given files of that cannot be loaded; by name.',
    resolve: (_root, _args, { inference }) => listModels(inference),
  }),
);

builder.queryField('failedModelVersions', (t) =>
  t.field({
    type: [FailedModelVersionRef],
    scope: 'read',
    listSize: { assumedSize: 5 },
    description: 'All versions in the model repository that could not be loaded, also those of no known model.',
    resolve: (_root, _args, { inference }) => [...inference.failures()],
  }),
);

builder.queryField('model', (t) =>
  t.field({
    type: ModelRef,
    nullable: true,
    scope: 'read',
    description: 'A model by its name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: (_root, { name }, { inference }) => findModel(inference, parseInput(line(64), name, 'name')),
  }),
);
