import {
  date,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import type { PredictionFailure } from '../../inference/prediction-sink.ts';
import { organizations } from '../accounts/tables.ts';

export const sites = pgTable(
  'sites',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    /** IANA name; hours of the day and weekdays of a forecast are local to it. */
    timeZone: text('time_zone').notNull(),
    /** Local dates on which the load follows a holiday's shape. */
    holidays: date('holidays', { mode: 'string' }).array().notNull().default([]),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'sites_organization',
      columns: [table.organizationId],
      foreignColumns: [organizations.id],
    }).onDelete('cascade'),
    index('sites_name').on(table.organizationId, table.name, table.id),
  ],
);

/** Range-partitioned by month on `at`. */
export const readings = pgTable(
  'readings',
  {
    organizationId: uuid('organization_id').notNull(),
    siteId: uuid('site_id').notNull(),
    at: timestamp('at', { withTimezone: true, mode: 'string' }).notNull(),
    loadMw: doublePrecision('load_mw').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.siteId, table.at] }),
    foreignKey({
      name: 'readings_site',
      columns: [table.organizationId, table.siteId],
      foreignColumns: [sites.organizationId, sites.id],
    }).onDelete('cascade'),
  ],
);

/** What was predicted for whom, one row per call of a model; range-partitioned by month on the id (UUIDv7). */
export const predictions = pgTable(
  'predictions',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    model: text('model').notNull(),
    version: text('version').notNull(),
    /** As it was then: a retired version can no longer be asked. */
    precision: text('precision').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull(),
    latencyMs: real('latency_ms').notNull(),
    batchSize: integer('batch_size').notNull(),
    /** Rows of the batch that came from the cache. */
    cacheHits: integer('cache_hits').notNull().default(0),
    /** Why it gave no answer; null: it did. */
    error: text('error').$type<PredictionFailure>(),
    /** The version whose answer the viewer got, of a call that ran beside it for comparison; null: the viewer got this one. */
    shadowOf: text('shadow_of'),
    /** Rows on which a shadow agreed with that answer; null: it gave none, or is no shadow. */
    agreedRows: integer('agreed_rows'),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'predictions_organization',
      columns: [table.organizationId],
      foreignColumns: [organizations.id],
    }).onDelete('cascade'),
    index('predictions_model').on(table.organizationId, table.model, table.id),
    index('predictions_model_version').on(table.organizationId, table.model, table.version, table.id),
  ],
);

/**
 * Which versions of a model answer an organization's calls; without a row the newest one does. Models belong to no
 * organization, so each rolls out for itself.
 */
export const modelRollouts = pgTable(
  'model_rollouts',
  {
    organizationId: uuid('organization_id').notNull(),
    model: text('model').notNull(),
    /** From version to share of the viewers, 0 to 1. */
    weights: jsonb('weights').$type<Record<string, number>>().notNull(),
    /** What an automatic return goes back to. */
    baselineVersion: text('baseline_version').notNull(),
    shadowVersion: text('shadow_version'),
    shadowShare: doublePrecision('shadow_share').notNull(),
    maxErrorRate: doublePrecision('max_error_rate').notNull(),
    maxLatencyRatio: doublePrecision('max_latency_ratio').notNull(),
    minCalls: integer('min_calls').notNull(),
    /** By the database's clock, later than that of every earlier state of the row. */
    updatedAt: timestamp('updated_at', { withTimezone: true, mode: 'string' }).notNull(),
    /** null: it returned by itself. */
    updatedById: uuid('updated_by_id'),
    returnedReason: text('returned_reason'),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.model] }),
    foreignKey({
      name: 'model_rollouts_organization',
      columns: [table.organizationId],
      foreignColumns: [organizations.id],
    }).onDelete('cascade'),
    // Of the process, not of a request: every process asks twice a second what has changed in all organizations.
    index('model_rollouts_updated').on(table.updatedAt),
  ],
);

/** Every point a forecast gave, kept to be compared with the readings that came; range-partitioned by month on `at`. */
export const forecastPoints = pgTable(
  'forecast_points',
  {
    organizationId: uuid('organization_id').notNull(),
    model: text('model').notNull(),
    version: text('version').notNull(),
    siteId: uuid('site_id').notNull(),
    /** The hour before the first point: nothing later was known. */
    issuedAt: timestamp('issued_at', { withTimezone: true, mode: 'string' }).notNull(),
    at: timestamp('at', { withTimezone: true, mode: 'string' }).notNull(),
    p10: doublePrecision('p10').notNull(),
    p50: doublePrecision('p50').notNull(),
    p90: doublePrecision('p90').notNull(),
  },
  (table) => [
    primaryKey({
      name: 'forecast_points_pk',
      columns: [table.organizationId, table.model, table.at, table.siteId, table.version, table.issuedAt],
    }),
    foreignKey({
      name: 'forecast_points_site',
      columns: [table.organizationId, table.siteId],
      foreignColumns: [sites.organizationId, sites.id],
    }).onDelete('cascade'),
  ],
);

export type Site = typeof sites.$inferSelect;
export type Reading = Pick<typeof readings.$inferSelect, 'siteId' | 'at' | 'loadMw'>;
export type Prediction = typeof predictions.$inferSelect;
export type ModelRollout = typeof modelRollouts.$inferSelect;
