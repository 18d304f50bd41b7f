import { builder } from '../../../schema/builder.ts';
import { parseUuid } from '../../../schema/global-id.ts';
import { reference } from '../../../schema/loaded-field.ts';
import { deploymentById, featureById } from '../loaders.ts';
import type { Deployment } from '../tables.ts';
import { DeploymentRef, DeploymentStatus, Environment, FeatureRef } from './types.ts';

builder.node(DeploymentRef, {
  description: 'A version of a feature brought to an environment.',
  id: { resolve: (deployment) => deployment.id, parse: parseUuid },
  loadWithoutCache: (id, context) => deploymentById(context).load(id),
  fields: (t) => ({
    version: t.exposeString('version', { description: 'What was deployed.' }),
    environment: t.expose('environment', { type: Environment, description: 'Where it was deployed to.' }),
    status: t.expose('status', { type: DeploymentStatus, description: 'How far it is.' }),
    feature: t.field({
      type: FeatureRef,
      description: 'The feature it brings.',
      ...reference(featureById, (deployment: Deployment) => deployment.featureId),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked for.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended, well or not; null while it has not.',
    }),
  }),
});
