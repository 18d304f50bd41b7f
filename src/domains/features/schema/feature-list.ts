import { z } from 'zod';
import type { PageRequest } from '../../../db/list.ts';
import { builder } from '../../../schema/builder.ts';
import { resolveList } from '../../../schema/connection.ts';
import { decodeId } from '../../../schema/global-id.ts';
import { idOf, line, listOf, parseInput, timeRange } from '../../../schema/input.ts';
import { selects } from '../../../schema/selects.ts';
import { OrderDirection, TimeRange } from '../../../schema/shared-types.ts';
import { featureById, featureWithOwnerById } from '../loaders.ts';
import { featureList } from '../queries.ts';
import { featureStatus } from '../tables.ts';
import { FeatureConnection, FeatureRef, FeatureStatus } from './types.ts';

const FeatureFilter = builder.inputType('FeatureFilter', {
  description: 'Which features a list holds; what is set must all hold.',
  fields: (t) => ({
    status: t.field({ type: FeatureStatus, description: 'Of this status.' }),
    statusIn: t.field({ type: [FeatureStatus], description: 'Of one of these statuses.' }),
    ownerId: t.id({ description: 'Owned by this user.' }),
    nameContains: t.string({ description: 'With this text in the name, whatever the case; 3 to 200 characters.' }),
    createdAt: t.field({ type: TimeRange, description: 'Created in this range.' }),
  }),
});

const FeatureOrderField = builder.enumType('FeatureOrderField', {
  description: 'What features can be ordered by; ties go by id.',
  values: {
    CREATED_AT: { description: 'When it was written down.' },
    UPDATED_AT: { description: 'When it last changed.' },
    COMPLEXITY_POINTS: { description: 'How much work it is.' },
    NAME: { description: 'What it is called.' },
  },
});

const FeatureOrder = builder.inputType('FeatureOrder', {
  description: 'The order of a list of features.',
  fields: (t) => ({
    field: t.field({ type: FeatureOrderField, required: true, description: 'What to order by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

const filterInput = z.object({
  status: z.enum(featureStatus.enumValues).optional(),
  statusIn: listOf(z.enum(featureStatus.enumValues), featureStatus.enumValues.length).optional(),
  ownerId: idOf('User').optional(),
  nameContains: line(200, 3).optional(),
  createdAt: timeRange.optional(),
});

builder.queryField('feature', (t) =>
  t.field({
    type: FeatureRef,
    nullable: true,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'A feature by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of a feature.' }) },
    resolve: (_root, { id }, context, info) => {
      const byId = selects(info, 'owner') ? featureWithOwnerById : featureById;
      return byId(context).load(decodeId('Feature', id, 'id'));
    },
  }),
);

builder.queryField('features', (t) =>
  t.field({
    type: FeatureConnection,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'The features of the organization, latest first unless ordered otherwise.',
    args: {
      filter: t.arg({ type: FeatureFilter, description: 'Which of them.' }),
      orderBy: t.arg({ type: FeatureOrder, description: 'In which order.' }),
      ...t.arg.connectionArgs(),
    },
    resolve: (_root, { filter, orderBy, ...paging }, context) => {
      const order = { order: orderBy?.field ?? 'CREATED_AT', direction: orderBy?.direction ?? 'DESC' } as const;
      return resolveList(featureList, context, paging, order, toFilters(filter));
    },
  }),
);

function toFilters(given: unknown): PageRequest['filters'] {
  const { status, statusIn, ownerId, nameContains, createdAt } = parseInput(filterInput, given ?? {}, 'filter');
  return {
    ...(status && { status: { status } }),
    ...(statusIn && { statusIn: { statusIn: [...new Set(statusIn)] } }),
    ...(ownerId && { ownerId: { ownerId } }),
    ...(nameContains && { nameContains: { namePattern: `%${nameContains.replace(/[\\%_]/g, '\\$&')}%` } }),
    ...(createdAt && { createdAt: { createdFrom: createdAt.from, createdTo: createdAt.to } }),
  };
}
