import { builder } from '../../../schema/builder.ts';
import { connectionType, resolvePublicList } from '../../../schema/connection.ts';
import { decodeId, encodeGlobalId } from '../../../schema/global-id.ts';
import { publicFeatureById, publicTestSummaryByFeatureId } from '../loaders.ts';
import { type PublicFeature, publicFeatureList } from '../public-queries.ts';
import { FeatureStatus, TestSummaryRef } from './types.ts';

const PublicFeatureRef = builder.objectRef<PublicFeature>('PublicFeature').implement({
  description: 'A feature that its organization shows to everybody, as they may see it.',
  fields: (t) => ({
    id: t.id({
      description: 'Its id, for publicFeature; no id of a node.',
      // Not that of its Feature: clients that keep objects by their ids would take the two for one.
      resolve: ({ id }) => encodeGlobalId('PublicFeature', id),
    }),
    name: t.exposeString('name', { description: 'What it is called.' }),
    description: t.exposeString('description', { description: 'What it is to do.' }),
    status: t.expose('status', { type: FeatureStatus, description: 'Where it stands.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    testSummary: t.field({
      type: TestSummaryRef,
      cost: 2,
      description: 'How its test cases stand.',
      resolve: ({ organizationId, id }, _args, context) =>
        publicTestSummaryByFeatureId(context, organizationId).load(id),
    }),
  }),
});

const PublicFeatureConnection = connectionType('PublicFeature', PublicFeatureRef, 'public features');

builder.queryField('publicFeature', (t) =>
  t.field({
    type: PublicFeatureRef,
    nullable: true,
    scope: 'none',
    cache: { maxAgeSeconds: 3600, scope: 'public' },
    description: 'A feature that an organization shows to everybody; null when it shows none with this id.',
    args: {
      organizationId: t.arg.id({ required: true, description: 'Whose it is.' }),
      id: t.arg.id({ required: true, description: 'Its id, as a PublicFeature or as a Feature.' }),
    },
    resolve: (_root, args, context) => {
      const organizationId = decodeId('Organization', args.organizationId, 'organizationId');
      const id = decodeId(['PublicFeature', 'Feature'], args.id, 'id');
      return publicFeatureById(context, organizationId).load(id);
    },
  }),
);

builder.queryField('publicFeatures', (t) =>
  t.field({
    type: PublicFeatureConnection,
    scope: 'none',
    cache: { maxAgeSeconds: 3600, scope: 'public' },
    description: 'The features that an organization shows to everybody, latest changed first.',
    args: {
      organizationId: t.arg.id({ required: true, description: 'Whose they are.' }),
      status: t.arg({ type: FeatureStatus, description: 'Only those of this status.' }),
      ...t.arg.connectionArgs(),
    },
    resolve: (_root, { organizationId, status, ...paging }, context) => {
      const order = { order: 'UPDATED_AT', direction: 'DESC' } as const;
      const filters = status ? { status: { status } } : {};
      const organization = decodeId('Organization', organizationId, 'organizationId');
      return resolvePublicList(publicFeatureList, context, organization, paging, order, filters);
    },
  }),
);
