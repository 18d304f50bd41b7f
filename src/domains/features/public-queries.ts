/** What everybody may see of an organization's features: no other statement comes through to who is not its member. */
import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { rowsBy } from '../../db/footprint.ts';
import { keyPart } from '../../db/keyset.ts';
import { createList } from '../../db/list.ts';
import type { ListByIds } from '../../db/rows-by-id.ts';
import { arg, columns, statement, unseenArg } from '../../db/statement.ts';
import { type FeatureTestSummary, summaryQuery } from './queries.ts';
import { type Feature, features, testCases } from './tables.ts';

const properties = ['organizationId', 'id', 'name', 'description', 'status', 'updatedAt'] as const;

/** A feature as everybody may see it. */
export type PublicFeature = Pick<Feature, (typeof properties)[number]>;

/** In an order that a PublicFeature shows: a cursor holds the values of its order. */
export const publicFeatureList = createList<PublicFeature>({
  name: 'public_features',
  table: features,
  properties,
  isPublic: features.isPublic,
  filters: { status: { condition: sql`${features.status} = ${arg('status')}` } },
  orders: { UPDATED_AT: [keyPart(features, 'updatedAt', 'timestamptz'), keyPart(features, 'id', 'uuid')] },
});

const publicByIds = sql`${features.organizationId} = ${arg('organizationId')} and ${features.isPublic}
  and ${features.id} = any(${unseenArg('ids', 'uuid[]')}::uuid[])`;

const publicFeatures = statement<PublicFeature>(
  'listPublicFeaturesByIds',
  sql`select ${columns(features, properties)} from ${features} where ${publicByIds}`,
  { isPublic: true, readsBy: [rowsBy(features.id, 'ids')] },
);

/** The public ones of an organization's features with these ids, in no order. */
export const listPublicFeaturesByIds: ListByIds<PublicFeature> = (database, organizationId, ids) =>
  publicFeatures.run(database, { organizationId, ids });

const publicTestSummaries = statement<FeatureTestSummary>(
  'listPublicTestSummariesByFeatureId',
  summaryQuery(sql`${testCases.featureId} in (select ${features.id} from ${features} where ${publicByIds})`),
  { isPublic: true, readsBy: [rowsBy(testCases.featureId, 'ids'), rowsBy(features.id, 'ids')] },
);

/** A summary for each of these features that is public and has test cases. */
export function listPublicTestSummaries(database: Database, organizationId: string, ids: readonly string[]) {
  return publicTestSummaries.run(database, { organizationId, ids });
}
