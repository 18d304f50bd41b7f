import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  foreignKey,
  index,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../accounts/tables.ts';

export const featureStatus = pgEnum('feature_status', ['PLANNED', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELLED']);
export const testStatus = pgEnum('test_status', ['PENDING', 'PASSED', 'FAILED', 'SKIPPED']);
export const environment = pgEnum('environment', ['DEVELOPMENT', 'STAGING', 'PRODUCTION']);
export const deploymentStatus = pgEnum('deployment_status', [
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'ROLLED_BACK',
]);

/** Each order of the list stands alone, behind status and behind owner: a filtered page is one index range in its order. */
export const features = pgTable(
  'features',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull(),
    status: featureStatus('status').notNull(),
    complexityPoints: smallint('complexity_points').notNull(),
    ownerId: uuid('owner_id').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
    /** When the status last became DONE; null otherwise. */
    completedAt: timestamp('completed_at', { withTimezone: true, mode: 'string' }),
    /** Whether the organization shows it to everybody. */
    isPublic: boolean('is_public').notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'features_owner',
      columns: [table.organizationId, table.ownerId],
      foreignColumns: [users.organizationId, users.id],
    }),
    check('features_complexity_points', sql`${table.complexityPoints} between 0 and 1000`),
    index('features_created').on(table.organizationId, table.createdAt, table.id),
    index('features_updated').on(table.organizationId, table.updatedAt, table.id),
    index('features_points').on(table.organizationId, table.complexityPoints, table.id),
    index('features_name').on(table.organizationId, table.name, table.id),
    index('features_status_created').on(table.organizationId, table.status, table.createdAt, table.id),
    index('features_status_updated').on(table.organizationId, table.status, table.updatedAt, table.id),
    index('features_status_points').on(table.organizationId, table.status, table.complexityPoints, table.id),
    index('features_status_name').on(table.organizationId, table.status, table.name, table.id),
    index('features_owner_created').on(table.organizationId, table.ownerId, table.createdAt, table.id),
    index('features_owner_updated').on(table.organizationId, table.ownerId, table.updatedAt, table.id),
    index('features_owner_points').on(table.organizationId, table.ownerId, table.complexityPoints, table.id),
    index('features_owner_name').on(table.organizationId, table.ownerId, table.name, table.id),
    index('features_name_trigrams').using('gin', table.organizationId, table.name.op('gin_trgm_ops')),
    index('features_completed')
      .on(table.organizationId, table.completedAt)
      .where(sql`${table.completedAt} is not null`),
    index('features_public_updated').on(table.organizationId, table.updatedAt, table.id).where(sql`${table.isPublic}`),
    index('features_public_status_updated')
      .on(table.organizationId, table.status, table.updatedAt, table.id)
      .where(sql`${table.isPublic}`),
  ],
);

export const testCases = pgTable(
  'test_cases',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    featureId: uuid('feature_id').notNull(),
    name: text('name').notNull(),
    status: testStatus('status').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'test_cases_feature',
      columns: [table.organizationId, table.featureId],
      foreignColumns: [features.organizationId, features.id],
    }).onDelete('cascade'),
    index('test_cases_feature_created').on(table.organizationId, table.featureId, table.createdAt, table.id),
    index('test_cases_feature_status_created').on(
      table.organizationId,
      table.featureId,
      table.status,
      table.createdAt,
      table.id,
    ),
  ],
);

export const deployments = pgTable(
  'deployments',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    featureId: uuid('feature_id').notNull(),
    version: text('version').notNull(),
    environment: environment('environment').notNull(),
    status: deploymentStatus('status').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true, mode: 'string' }),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'deployments_feature',
      columns: [table.organizationId, table.featureId],
      foreignColumns: [features.organizationId, features.id],
    }).onDelete('cascade'),
    index('deployments_feature_created').on(table.organizationId, table.featureId, table.createdAt, table.id),
    index('deployments_feature_environment_created').on(
      table.organizationId,
      table.featureId,
      table.environment,
      table.createdAt,
      table.id,
    ),
    index('deployments_created').on(table.organizationId, table.createdAt),
  ],
);

export type Feature = typeof features.$inferSelect;
export type TestCase = typeof testCases.$inferSelect;
export type Deployment = typeof deployments.$inferSelect;
