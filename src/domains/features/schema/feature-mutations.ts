import { z } from 'zod';
import { type Context, requireViewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { formatDateTime } from '../../../db/time.ts';
import { badUserInput, conflict, notFound } from '../../../errors.ts';
import { builder } from '../../../schema/builder.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { idOf, integer, line, listOf, paragraphs, parseInput } from '../../../schema/input.ts';
import { idempotencyKey, idempotencyKeyDescription, keepRows, runOnce } from '../../accounts/idempotency.ts';
import { userById } from '../../accounts/loaders.ts';
import { featureById } from '../loaders.ts';
import { deleteFeature, insertFeatures, updateFeature } from '../queries.ts';
import { type Feature, featureStatus } from '../tables.ts';
import { FeatureRef, FeatureStatus } from './types.ts';

const maxFeatures = 1000;
const status = z.enum(featureStatus.enumValues);
const description = paragraphs(0, 10_000);

const newFeature = z.object({
  name: line(200),
  description: description.default(''),
  status: status.default('PLANNED'),
  complexityPoints: integer(0, 1000).default(1),
  ownerId: idOf('User').optional(),
  isPublic: z.boolean().default(false),
});

const newFeatures = z.object({
  features: listOf(
    newFeature.extend({
      idempotencyKey: z.never('expected the idempotencyKey beside the list, not within').optional(),
    }),
    maxFeatures,
  ),
  idempotencyKey,
});

const CreateFeatureInput = builder.inputType('CreateFeatureInput', {
  description: 'A new feature.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'One line, 1 to 200 characters.' }),
    description: t.string({ description: 'What it is to do, up to 10,000 characters; empty by default.' }),
    status: t.field({ type: FeatureStatus, description: 'PLANNED by default.' }),
    complexityPoints: t.int({ description: '0 to 1000; 1 by default.' }),
    ownerId: t.id({ description: 'Who answers for it; the viewer by default.' }),
    isPublic: t.boolean({ description: 'Whether everybody may see it, as a PublicFeature; false by default.' }),
    idempotencyKey: t.string({
      description: `${idempotencyKeyDescription} Within createFeatures it stands beside the list.`,
    }),
  }),
});

const CreateFeaturesInput = builder.inputType('CreateFeaturesInput', {
  description: 'Many new features.',
  fields: (t) => ({
    features: t.field({ type: [CreateFeatureInput], required: true, description: `1 to ${maxFeatures} of them.` }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const expectedUpdatedAtDescription =
  'The updatedAt that the client has seen, to the last digit: when another change was made since, nothing is done and ' +
  'the answer is CONFLICT with currentUpdatedAt in its extensions.';

const UpdateFeatureInput = builder.inputType('UpdateFeatureInput', {
  description: 'Changes to a feature; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which feature.' }),
    name: t.string({ description: 'One line, 1 to 200 characters.' }),
    description: t.string({ description: 'Up to 10,000 characters.' }),
    status: t.field({ type: FeatureStatus, description: 'Where it stands now.' }),
    complexityPoints: t.int({ description: '0 to 1000.' }),
    ownerId: t.id({ description: 'Who answers for it from now on.' }),
    isPublic: t.boolean({ description: 'Whether everybody may see it, as a PublicFeature, from now on.' }),
    expectedUpdatedAt: t.field({ type: 'DateTime', description: expectedUpdatedAtDescription }),
  }),
});

const DeleteFeatureInput = builder.inputType('DeleteFeatureInput', {
  description: 'A feature to delete, with its test cases and deployments.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which feature.' }),
    expectedUpdatedAt: t.field({ type: 'DateTime', description: expectedUpdatedAtDescription }),
  }),
});

const CreateFeaturePayload = builder.objectRef<{ feature: Feature }>('CreateFeaturePayload').implement({
  description: 'What createFeature did.',
  fields: (t) => ({ feature: t.expose('feature', { type: FeatureRef, description: 'The new feature.' }) }),
});

const CreateFeaturesPayload = builder.objectRef<{ features: Feature[] }>('CreateFeaturesPayload').implement({
  description: 'What createFeatures did.',
  fields: (t) => ({
    features: t.expose('features', { type: [FeatureRef], description: 'The new features, in the order given.' }),
  }),
});

const UpdateFeaturePayload = builder.objectRef<{ feature: Feature }>('UpdateFeaturePayload').implement({
  description: 'What updateFeature did.',
  fields: (t) => ({ feature: t.expose('feature', { type: FeatureRef, description: 'The feature as it is now.' }) }),
});

const DeleteFeaturePayload = builder.objectRef<{ deletedId: string }>('DeleteFeaturePayload').implement({
  description: 'What deleteFeature did.',
  fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'The id that is gone.' }) }),
});

builder.mutationField('createFeature', (t) =>
  t.field({
    type: CreateFeaturePayload,
    scope: 'write',
    cost: 10,
    description: 'Creates a feature.',
    args: { input: t.arg({ type: CreateFeatureInput, required: true, description: 'What to create.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(newFeature.extend({ idempotencyKey }), args.input);
      const [feature] = await createAll(context, 'createFeature', input, [input], () => 'input.ownerId');
      return { feature: feature! };
    },
  }),
);

builder.mutationField('createFeatures', (t) =>
  t.field({
    type: CreateFeaturesPayload,
    scope: 'write',
    cost: 10,
    listSize: { slicingArguments: ['input.features'], sizedFields: ['features'], maxSize: maxFeatures },
    description: 'Creates many features in one statement, all or none.',
    args: { input: t.arg({ type: CreateFeaturesInput, required: true, description: 'What to create.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(newFeatures, args.input);
      const ownerPath = (index: number) => `input.features.${index}.ownerId`;
      return { features: await createAll(context, 'createFeatures', input, input.features, ownerPath) };
    },
  }),
);

async function createAll(
  context: Context,
  mutation: string,
  input: { idempotencyKey?: string | undefined },
  inputs: readonly z.output<typeof newFeature>[],
  ownerPath: (index: number) => string,
) {
  const viewer = requireViewer(context);
  const rows = inputs.map(({ name, description, status, complexityPoints, ownerId = viewer.userId, isPublic }) => {
    return { id: newId(), name, description, status, complexityPoints, ownerId, isPublic };
  });
  const created = await runOnce(context, { mutation, input, keeping: keepRows(featureById) }, (write) =>
    write((database) => insertFeatures(database, viewer.organizationId, rows)),
  );
  if (created) return created;
  const owners = await userById(context).loadMany(rows.map((row) => row.ownerId));
  throw notFound('User', ownerPath(owners.indexOf(null)));
}

const expectedUpdatedAt = z.string().optional();

const featureChanges = newFeature.partial().extend({
  id: idOf('Feature'),
  description: description.optional(),
  status: status.optional(),
  complexityPoints: integer(0, 1000).optional(),
  isPublic: z.boolean().optional(),
  expectedUpdatedAt,
});

builder.mutationField('updateFeature', (t) =>
  t.field({
    type: UpdateFeaturePayload,
    scope: 'write',
    cost: 10,
    description: 'Changes a feature.',
    args: { input: t.arg({ type: UpdateFeatureInput, required: true, description: 'What to change.' }) },
    resolve: async (_root, args, context) => {
      const { id, expectedUpdatedAt, ...changes } = parseInput(featureChanges, args.input);
      if (Object.values(changes).every((value) => value === undefined)) {
        throw badUserInput({ path: 'input', message: 'expected at least one change beside the id' });
      }
      const { organizationId } = requireViewer(context);
      if (changes.ownerId && !(await userById(context).load(changes.ownerId))) throw notFound('User', 'input.ownerId');
      const feature = await updateFeature(context.database, organizationId, id, changes, expectedUpdatedAt);
      featureById(context).clear(id);
      if (!feature) throw await notAsExpected(context, id);
      return { feature };
    },
  }),
);

const deleteInput = z.object({ id: idOf('Feature'), expectedUpdatedAt });

builder.mutationField('deleteFeature', (t) =>
  t.field({
    type: DeleteFeaturePayload,
    scope: 'write',
    cost: 10,
    description: 'Deletes a feature with its test cases and deployments.',
    args: { input: t.arg({ type: DeleteFeatureInput, required: true, description: 'What to delete.' }) },
    resolve: async (_root, args, context) => {
      const { id, expectedUpdatedAt: seen } = parseInput(deleteInput, args.input);
      const { organizationId } = requireViewer(context);
      const isDeleted = await deleteFeature(context.database, organizationId, id, seen);
      featureById(context).clear(id);
      if (!isDeleted) throw await notAsExpected(context, id);
      return { deletedId: encodeGlobalId('Feature', id) };
    },
  }),
);

/** Why nothing was changed: NOT_FOUND, or CONFLICT with when the feature was changed. */
async function notAsExpected(context: Context, id: string) {
  const feature = await featureById(context).load(id);
  if (!feature) return notFound('Feature', 'input.id');
  const currentUpdatedAt = formatDateTime(feature.updatedAt);
  const message = `input.expectedUpdatedAt: the feature was changed at ${currentUpdatedAt}: look at it, then try again with that`;
  return conflict(message, { currentUpdatedAt });
}
