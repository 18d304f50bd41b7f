import { z } from 'zod';
import { firstIdAt } from '../../../db/id.ts';
import { ceilEpochMs } from '../../../db/time.ts';
import type { Precision } from '../../../inference/manifest.ts';
import { builder } from '../../../schema/builder.ts';
import { connectionType, resolveList } from '../../../schema/connection.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { line, parseInput, timeRange } from '../../../schema/input.ts';
import { TimeRange } from '../../../schema/shared-types.ts';
import { predictionById } from '../loaders.ts';
import { findModel } from '../models.ts';
import { predictionList } from '../queries.ts';
import type { Prediction } from '../tables.ts';
import { ModelVersionRef } from './models.ts';

const PredictionError = builder.enumType('PredictionError', {
  description: 'Why a call of a model was not answered.',
  values: {
    FAILED: { description: 'The model failed on the call, or on some of its rows.' },
    TIMEOUT: { description: 'The time of the request was over first.' },
  },
});

const PredictionRef = builder.objectRef<Prediction>('Prediction');
const PredictionConnection = connectionType('Prediction', PredictionRef, 'predictions');

builder.node(PredictionRef, {
  description: 'One call of a model for the organization.',
  id: { resolve: (prediction) => prediction.id, parse: parseUuid },
  loadWithoutCache: (id, context) => predictionById(context).load(id),
  fields: (t) => ({
    modelVersion: t.field({
      type: ModelVersionRef,
      description: 'What was called; a version that is no longer loaded has weight 0 and the provider "retired".',
      resolve: ({ model, version, precision }, _args, { inference }) =>
        findModel(inference, model)?.versions.find((entry) => entry.version === version) ?? {
          model,
          version,
          precision: precision as Precision,
          executionProvider: 'retired',
        },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was called.' }),
    latencyMs: t.exposeFloat('latencyMs', { description: 'How long the call took, its wait included.' }),
    batchSize: t.exposeInt('batchSize', { description: 'How many rows the call asked for.' }),
    cacheHits: t.exposeInt('cacheHits', { description: 'How many of them came from the cache.' }),
    isShadow: t.boolean({
      description: 'Whether it ran behind the answer of another version, which the viewer got, to be compared with it.',
      resolve: ({ shadowOf }) => shadowOf !== null,
    }),
    agreedRows: t.exposeInt('agreedRows', {
      nullable: true,
      description: 'On how many rows a shadow agreed with that answer; null when it gave none, and for other calls.',
    }),
    error: t.expose('error', {
      type: PredictionError,
      nullable: true,
      description: 'What went wrong; null when all of it was answered.',
    }),
  }),
});

const PredictionFilter = builder.inputType('PredictionFilter', {
  description: 'Which predictions a list holds; what is set must all hold.',
  fields: (t) => ({
    model: t.string({ description: 'By this model.' }),
    version: t.string({ description: 'By this version; needs the model, too.' }),
    createdAt: t.field({ type: TimeRange, description: 'Made in this range.' }),
  }),
});

const filterInput = z
  .object({ model: line(64).optional(), version: line(32).optional(), createdAt: timeRange.optional() })
  .refine(({ model, version }) => version === undefined || model !== undefined, {
    path: ['version'],
    error: 'expected a model beside the version',
  });

builder.queryField('predictions', (t) =>
  t.field({
    type: PredictionConnection,
    scope: 'read',
    description: 'What models were asked for the organization, latest first.',
    args: {
      filter: t.arg({ type: PredictionFilter, description: 'Which of them.' }),
      ...t.arg.connectionArgs(),
    },
    resolve: (_root, { filter, ...paging }, context) => {
      const { model, version, createdAt } = parseInput(filterInput, filter ?? {}, 'filter');
      const filters = {
        ...(model && { model: { model } }),
        ...(version && { version: { version } }),
        ...(createdAt && {
          createdAt: { idFrom: firstIdAt(ceilEpochMs(createdAt.from)), idTo: firstIdAt(ceilEpochMs(createdAt.to)) },
        }),
      };
      return resolveList(predictionList, context, paging, { order: 'CREATED_AT', direction: 'DESC' }, filters);
    },
  }),
);
