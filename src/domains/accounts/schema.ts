import { builder } from '../../schema/builder.ts';
import { parseUuid } from '../../schema/global-id.ts';
import { reference } from '../../schema/loaded-field.ts';
import { organizationById, userById } from './loaders.ts';
import type { Organization, User } from './tables.ts';

const OrganizationRef = builder.objectRef<Organization>('Organization');

builder.node(OrganizationRef, {
  description: 'Whose people, features, conversations and sites they are.',
  id: { resolve: (organization) => organization.id, parse: parseUuid },
  loadWithoutCache: (id, context) => organizationById(context).load(id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name to show.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it joined.' }),
  }),
});

export const UserRef = builder.objectRef<User>('User');

builder.node(UserRef, {
  description: 'A person of the viewer’s organization.',
  id: { resolve: (user) => user.id, parse: parseUuid },
  loadWithoutCache: (id, context) => userById(context).load(id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name to show.' }),
    email: t.exposeString('email', { description: 'The address the person signs in with.' }),
    organization: t.field({
      type: OrganizationRef,
      description: 'The organization of the person.',
      ...reference(organizationById, (user: User) => user.organizationId),
    }),
    isActive: t.exposeBoolean('isActive', { description: 'Whether the person may sign in.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the person joined.' }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: UserRef,
    nullable: true,
    scope: 'none',
    cache: { maxAgeSeconds: 300, scope: 'viewer' },
    description: 'Who asks; null when nobody is signed in.',
    resolve: (_root, _args, context) => (context.viewer ? userById(context).load(context.viewer.userId) : null),
  }),
);
