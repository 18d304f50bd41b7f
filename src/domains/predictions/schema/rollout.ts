import { z } from 'zod';
import { requireViewer } from '../../../context.ts';
import { builder } from '../../../schema/builder.ts';
import { integer, line, listOf, parseInput } from '../../../schema/input.ts';
import { idempotencyKey, idempotencyKeyDescription, type Keeping, runOnce } from '../../accounts/idempotency.ts';
import { checkRollout, type RolloutRequest } from '../check-rollout.ts';
import { findModel, type ModelEntry } from '../models.ts';
import { defaultGuard, type Guard, windowCalls } from '../rollout-guard.ts';
import { findModelRollout, upsertModelRollout } from '../rollout-queries.ts';
import { forgetServingVersion } from '../serving.ts';
import type { ModelRollout } from '../tables.ts';
import type { VersionWeight } from '../version-choice.ts';
import { ModelRef } from './models.ts';

const maxVersions = 100;

const VersionWeightRef = builder.objectRef<VersionWeight>('VersionWeight').implement({
  description: 'How many viewers a version answers.',
  fields: (t) => ({
    version: t.exposeString('version', { description: 'The version.' }),
    weight: t.exposeFloat('weight', { description: 'Its share of the viewers, 0 to 1.' }),
  }),
});

const RolloutGuardRef = builder.objectRef<Guard>('RolloutGuard').implement({
  description: 'When a version is given up: its last 200 calls of 10 minutes, by each server process on its own.',
  fields: (t) => ({
    maxErrorRate: t.exposeFloat('maxErrorRate', {
      description: 'How far its error rate may lie above the baseline’s.',
    }),
    maxLatencyRatio: t.exposeFloat('maxLatencyRatio', {
      description: 'How often the baseline’s median latency its own may be; less than 5 ms more is never too much.',
    }),
    minCalls: t.exposeInt('minCalls', { description: 'Calls before anything is judged by them.' }),
  }),
});

const ModelRolloutRef = builder.objectRef<ModelRollout>('ModelRollout').implement({
  description: 'How an organization’s viewers are shared out among the versions of a model.',
  fields: (t) => ({
    weights: t.field({
      type: [VersionWeightRef],
      listSize: { assumedSize: 5 },
      description: 'As they were set; what a version that is not loaded should have goes to the others.',
      resolve: ({ weights }) => Object.entries(weights).map(([version, weight]) => ({ version, weight })),
    }),
    baselineVersion: t.exposeString('baselineVersion', {
      description: 'What answers everybody again when another version fails or is too slow.',
    }),
    shadowVersion: t.exposeString('shadowVersion', {
      nullable: true,
      description: 'What runs behind the answers, to be compared with them; null: nothing.',
    }),
    shadowShare: t.exposeFloat('shadowShare', { description: 'The share of calls it runs for, 0 to 1.' }),
    guard: t.field({
      type: RolloutGuardRef,
      description: 'When a version is given up.',
      resolve: (rollout) => rollout,
    }),
    returnedReason: t.exposeString('returnedReason', {
      nullable: true,
      description: 'Why it returned to the baseline by itself; null: it did not since it was set.',
    }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was set, or returned.' }),
  }),
});

builder.objectField(ModelRef, 'rollout', (t) =>
  t.field({
    type: ModelRolloutRef,
    nullable: true,
    description: 'The organization’s rollout of it; null: its newest version of full precision answers all.',
    resolve: ({ name }, _args, context) => context.rollouts.find(requireViewer(context).organizationId, name),
  }),
);

const VersionWeightInput = builder.inputType('VersionWeightInput', {
  description: 'How many viewers a version answers.',
  fields: (t) => ({
    version: t.string({ required: true, description: 'A loaded version of the model.' }),
    weight: t.float({ required: true, description: 'Its share of the viewers, 0 to 1.' }),
  }),
});

const ShadowInput = builder.inputType('ShadowInput', {
  description: 'A version that runs behind the answers of others.',
  fields: (t) => ({
    version: t.string({
      required: true,
      description: 'A loaded version with weight 0 and the same inputs as those that answer.',
    }),
    share: t.float({ required: true, defaultValue: 1, description: 'The share of calls it runs for, 0 to 1.' }),
  }),
});

const RolloutGuardInput = builder.inputType('RolloutGuardInput', {
  description: 'When a version is given up, and the baseline answers everybody again.',
  fields: (t) => ({
    maxErrorRate: t.float({
      description: 'How far its error rate may lie above the baseline’s, 0 to 1; 0.05 by default.',
    }),
    maxLatencyRatio: t.float({
      description: 'How often the baseline’s median latency its own may be, 1 to 1,000; 2 by default.',
    }),
    minCalls: t.int({ description: `Calls before anything is judged by them, 1 to ${windowCalls}; 20 by default.` }),
  }),
});

const SetModelRolloutInput = builder.inputType('SetModelRolloutInput', {
  description: 'How the organization’s viewers are shared out among the versions of a model.',
  fields: (t) => ({
    model: t.string({ required: true, description: 'The name of a model.' }),
    weights: t.field({
      type: [VersionWeightInput],
      required: true,
      description: `1 to ${maxVersions} versions, each once; the weights add up to 1. Others have weight 0.`,
    }),
    shadow: t.field({ type: ShadowInput, description: 'What runs behind the answers; nothing by default.' }),
    guard: t.field({ type: RolloutGuardInput, description: 'When a version is given up.' }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const SetModelRolloutPayload = builder.objectRef<{ model: ModelEntry }>('SetModelRolloutPayload').implement({
  description: 'What setModelRollout did.',
  fields: (t) => ({ model: t.expose('model', { type: ModelRef, description: 'The model, rolled out so.' }) }),
});

function numberBetween(min: number, max: number) {
  const error = `expected ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
}

const rolloutInput = z.object({
  model: line(64),
  weights: listOf(z.object({ version: line(32), weight: numberBetween(0, 1) }), maxVersions),
  shadow: z.object({ version: line(32), share: numberBetween(0, 1) }).optional(),
  guard: z
    .object({
      maxErrorRate: numberBetween(0, 1).default(defaultGuard.maxErrorRate),
      maxLatencyRatio: numberBetween(1, 1_000).default(defaultGuard.maxLatencyRatio),
      minCalls: integer(1, windowCalls).default(defaultGuard.minCalls),
    })
    .default(defaultGuard),
  idempotencyKey,
}) satisfies z.ZodType<RolloutRequest>;

/** A key that was used answers the rollout as it is then. */
const keepRollout: Keeping<ModelRollout, string> = {
  toKept: ({ model }) => model,
  load: (context, model) => findModelRollout(context.database, requireViewer(context).organizationId, model),
};

builder.mutationField('setModelRollout', (t) =>
  t.field({
    type: SetModelRolloutPayload,
    scope: 'admin',
    cost: 10,
    listSize: { slicingArguments: ['input.weights'], maxSize: maxVersions },
    description:
      'Shares the organization’s viewers out among the versions of a model: each viewer stays with one version. The ' +
      'version with the largest weight before is what an automatic return goes back to.',
    args: { input: t.arg({ type: SetModelRolloutInput, required: true, description: 'What to set.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(rolloutInput, args.input);
      const { organizationId, userId: updatedById } = requireViewer(context);
      const once = { mutation: 'setModelRollout', input, keeping: keepRollout };
      const rollout = await runOnce(context, once, (write) => {
        const versions = context.inference.versions();
        const change = { ...checkRollout(versions, input), organizationId, updatedById };
        const ofModel = versions.filter(({ name }) => name === input.model);
        return write((database) => upsertModelRollout(database, change, ofModel));
      });
      // Other processes see it at their next look.
      context.rollouts.apply(rollout!);
      forgetServingVersion(context, input.model);
      return { model: findModel(context.inference, input.model)! };
    },
  }),
);
