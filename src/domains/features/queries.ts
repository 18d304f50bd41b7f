import { type Column, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { changes, changesIn, inserts, type KeyedRows, rowsAnswered, rowsBy, rowsWith } from '../../db/footprint.ts';
import { keyPart } from '../../db/keyset.ts';
import { createList, createNestedList } from '../../db/list.ts';
import { createJoinedListByIds, createListByIds, inOrderOf } from '../../db/rows-by-id.ts';
import { arg, bare, columns, statement, statementByShape, unseenArg } from '../../db/statement.ts';
import { type User, users } from '../accounts/tables.ts';
import { type Deployment, deployments, type Feature, features, type TestCase, testCases } from './tables.ts';

const ofOrganization = sql`${features.organizationId} = ${arg('organizationId')}`;
const id = keyPart(features, 'id', 'uuid');

export const featureList = createList<Feature>({
  name: 'features',
  table: features,
  filters: {
    status: { condition: sql`${features.status} = ${arg('status')}` },
    statusIn: {
      condition: sql`${features.status} = any(${arg('statusIn')}::text[]::feature_status[])`,
      each: { column: features.status, type: 'feature_status', argument: 'statusIn' },
    },
    ownerId: { condition: sql`${features.ownerId} = ${arg('ownerId')}` },
    nameContains: { condition: sql`${features.name} ilike ${arg('namePattern')}`, needsValues: true },
    createdAt: {
      condition: sql`${features.createdAt} >= ${arg('createdFrom')} and ${features.createdAt} < ${arg('createdTo')}`,
      range: 'createdAt',
    },
  },
  orders: {
    CREATED_AT: [keyPart(features, 'createdAt', 'timestamptz'), id],
    UPDATED_AT: [keyPart(features, 'updatedAt', 'timestamptz'), id],
    COMPLEXITY_POINTS: [keyPart(features, 'complexityPoints', 'integer'), id],
    NAME: [keyPart(features, 'name', 'text'), id],
  },
});

export const testCaseList = createNestedList<TestCase>({
  name: 'test_cases',
  table: testCases,
  parent: testCases.featureId,
  filters: { status: { condition: sql`${testCases.status} = ${arg('status')}` } },
  orders: { CREATED_AT: [keyPart(testCases, 'createdAt', 'timestamptz'), keyPart(testCases, 'id', 'uuid')] },
});

export const deploymentList = createNestedList<Deployment>({
  name: 'deployments',
  table: deployments,
  parent: deployments.featureId,
  filters: { environment: { condition: sql`${deployments.environment} = ${arg('environment')}` } },
  orders: { CREATED_AT: [keyPart(deployments, 'createdAt', 'timestamptz'), keyPart(deployments, 'id', 'uuid')] },
});

export const listFeaturesByIds = createListByIds<Feature>('listFeaturesByIds', features);
export const listFeaturesWithOwnersByIds = createJoinedListByIds<Feature, User>(
  'listFeaturesWithOwnersByIds',
  features,
  { key: features.ownerId, to: users },
);
export const listTestCasesByIds = createListByIds<TestCase>('listTestCasesByIds', testCases);
export const listDeploymentsByIds = createListByIds<Deployment>('listDeploymentsByIds', deployments);

export interface TestSummary {
  passed: number;
  failed: number;
  pending: number;
  skipped: number;
  total: number;
}

export type FeatureTestSummary = TestSummary & { featureId: string };

/** The summaries of the features that a condition on test_cases leaves, one row each. */
export function summaryQuery(condition: SQL): SQL {
  return sql`select ${testCases.featureId} as "featureId",
      count(*) filter (where ${testCases.status} = 'PASSED')::integer as passed,
      count(*) filter (where ${testCases.status} = 'FAILED')::integer as failed,
      count(*) filter (where ${testCases.status} = 'PENDING')::integer as pending,
      count(*) filter (where ${testCases.status} = 'SKIPPED')::integer as skipped,
      count(*)::integer as total
    from ${testCases}
    where ${testCases.organizationId} = ${arg('organizationId')} and ${condition}
    group by ${testCases.featureId}`;
}

const testSummaries = statement<FeatureTestSummary>(
  'listTestSummariesByFeatureId',
  summaryQuery(sql`${testCases.featureId} = any(${unseenArg('featureIds', 'uuid[]')}::uuid[])`),
  { readsBy: [rowsBy(testCases.featureId, 'featureIds')] },
);

/** A summary for each feature that has test cases. */
export function listTestSummaries(database: Database, organizationId: string, featureIds: readonly string[]) {
  return testSummaries.run(database, { organizationId, featureIds });
}

export interface NewFeature {
  id: string;
  name: string;
  description: string;
  status: Feature['status'];
  complexityPoints: number;
  ownerId: string;
  isPublic: boolean;
}

const insertAll = statement<Feature>(
  'insertFeatures',
  sql`with input as (
      select * from jsonb_to_recordset(${arg('rows')}::jsonb) as input(
        id uuid, position integer, name text, description text, status feature_status, "complexityPoints" smallint, "ownerId" uuid, "isPublic" boolean)
    ), owned as (
      select input.* from input join users on users.organization_id = ${arg('organizationId')} and users.id = input."ownerId"
    )
    insert into ${features} (${bare(
      features.organizationId,
      features.id,
      features.name,
      features.description,
      features.status,
      features.complexityPoints,
      features.ownerId,
      features.completedAt,
      features.isPublic,
    )})
    select ${arg('organizationId')}::uuid, id, name, description, status, "complexityPoints", "ownerId",
      case when status = 'DONE' then now() end, "isPublic"
    from owned where (select count(*) from owned) = (select count(*) from input) order by position
    returning ${columns(features)}`,
  { writes: [inserts(features, rowsAnswered(features.isPublic, 'isPublic'))] },
);

/**
 * Inserts all of them in one statement, or none when an owner is not in the organization.
 * Answers the rows in the order given; empty when none was inserted.
 */
export async function insertFeatures(database: Database, organizationId: string, rows: readonly NewFeature[]) {
  const inserted = await insertAll.run(database, {
    organizationId,
    rows: JSON.stringify(rows.map((row, position) => ({ ...row, position }))),
  });
  return inOrderOf(
    rows.map((row) => row.id),
    inserted,
  );
}

export interface FeatureChanges {
  name?: string | undefined;
  description?: string | undefined;
  status?: Feature['status'] | undefined;
  complexityPoints?: number | undefined;
  ownerId?: string | undefined;
  isPublic?: boolean | undefined;
}

const changeable = {
  name: sql`${bare(features.name)} = ${arg('name')}`,
  description: sql`${bare(features.description)} = ${arg('description')}`,
  status: sql`${bare(features.status)} = ${arg('status')}, completed_at = case
    when ${arg('status')}::feature_status <> 'DONE' then null when ${features.status} = 'DONE' then ${features.completedAt} else now() end`,
  complexityPoints: sql`${bare(features.complexityPoints)} = ${arg('complexityPoints')}`,
  ownerId: sql`${bare(features.ownerId)} = ${arg('ownerId')}`,
  isPublic: sql`${bare(features.isPublic)} = ${arg('isPublic')}`,
} satisfies Record<keyof FeatureChanges, SQL>;

/** Of a feature that was not changed since, or of any. */
const asExpected = sql`${features.updatedAt} = ${arg('expectedUpdatedAt')}`;

interface UpdateShape {
  changed: readonly (keyof FeatureChanges)[];
  isExpected: boolean;
}

const updateByShape = statementByShape<UpdateShape, Feature>(
  'updateFeature',
  ({ changed, isExpected }) => {
    // It grows with each change, whatever the clock says: whoever expects the one before is refused.
    const updatedAt = sql`updated_at = greatest(now(), ${features.updatedAt} + interval '1 microsecond')`;
    const settings = [...changed.map((name) => changeable[name]), updatedAt];
    return sql`update ${features} set ${sql.join(settings, sql`, `)}
    where ${ofOrganization} and ${features.id} = ${arg('id')} ${isExpected ? sql`and ${asExpected}` : sql``}
    returning ${columns(features)}`;
  },
  ({ changed }) => ({
    writes: [changesIn(features, columnsSetBy(changed), rowsBy(features.id, 'id'), publicOf(changed))],
  }),
);

function columnsSetBy(changed: UpdateShape['changed']): Column[] {
  const withStatus = changed.includes('status') ? [features.completedAt] : [];
  return [...changed.map((name) => features[name]), ...withStatus, features.updatedAt];
}

/** Whether it was public is not known where that is changed: it may have been. */
function publicOf(changed: UpdateShape['changed']): KeyedRows {
  return changed.includes('isPublic') ? rowsWith(features.isPublic, true) : rowsAnswered(features.isPublic, 'isPublic');
}

/**
 * Changes what is given and answers the feature; null when the organization has none with this id, or with this id and
 * the expected updatedAt.
 */
export async function updateFeature(
  database: Database,
  organizationId: string,
  featureId: string,
  wanted: FeatureChanges,
  expectedUpdatedAt?: string,
) {
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const changed = Object.keys(given).sort() as (keyof FeatureChanges)[];
  const isExpected = expectedUpdatedAt !== undefined;
  const values = { organizationId, id: featureId, ...given, ...(isExpected && { expectedUpdatedAt }) };
  const [row] = await updateByShape({ changed, isExpected }).run(database, values);
  return row ?? null;
}

const deleteByShape = statementByShape<{ isExpected: boolean }, Pick<Feature, 'isPublic'>>(
  'deleteFeature',
  ({ isExpected }) => sql`delete from ${features}
    where ${ofOrganization} and ${features.id} = ${arg('id')} ${isExpected ? sql`and ${asExpected}` : sql``}
    returning ${columns(features, ['isPublic'])}`,
  {
    writes: [
      changes(features, rowsBy(features.id, 'id'), rowsAnswered(features.isPublic, 'isPublic')),
      changes(testCases),
      changes(deployments),
    ],
  },
);

/**
 * Deletes the feature with its test cases and deployments; false when there was none, or none with the expected
 * updatedAt.
 */
export async function deleteFeature(
  database: Database,
  organizationId: string,
  featureId: string,
  expectedUpdatedAt?: string,
): Promise<boolean> {
  const isExpected = expectedUpdatedAt !== undefined;
  const values = { organizationId, id: featureId, ...(isExpected && { expectedUpdatedAt }) };
  const deleted = await deleteByShape({ isExpected }).run(database, values);
  return deleted.length > 0;
}

export interface NewTestCase {
  id: string;
  name: string;
  status: TestCase['status'];
}

const insertTests = statement<TestCase>(
  'insertTestCases',
  sql`insert into ${testCases} (${bare(testCases.organizationId, testCases.id, testCases.featureId, testCases.name, testCases.status)})
    select features.organization_id, input.id, features.id, input.name, input.status
    from ${features}, jsonb_to_recordset(${arg('rows')}::jsonb) as input(id uuid, name text, status test_status)
    where ${ofOrganization} and ${features.id} = ${arg('featureId')}
    returning ${columns(testCases)}`,
  { writes: [inserts(testCases, rowsBy(testCases.featureId, 'featureId'))] },
);

/** Adds test cases to a feature in one statement, in the order given; empty when the organization has no such feature. */
export async function insertTestCases(
  database: Database,
  organizationId: string,
  featureId: string,
  rows: readonly NewTestCase[],
) {
  const inserted = await insertTests.run(database, { organizationId, featureId, rows: JSON.stringify(rows) });
  return inOrderOf(
    rows.map((row) => row.id),
    inserted,
  );
}

// All are locked in the order of their ids first: runs that overlap wait for each other, but never in a circle.
const updateResults = statement<TestCase>(
  'updateTestResults',
  sql`with input as (
      select * from jsonb_to_recordset(${arg('rows')}::jsonb) as input(id uuid, status test_status)
    ), known as (
      select test_cases.id from ${testCases} join input on test_cases.id = input.id
      where ${testCases.organizationId} = ${arg('organizationId')}
      order by test_cases.id for no key update of test_cases
    )
    update ${testCases} set status = input.status from input
    where ${testCases.organizationId} = ${arg('organizationId')} and ${testCases.id} = input.id
      and (select count(*) from known) = (select count(*) from input)
    returning ${columns(testCases)}`,
  { writes: [changes(testCases, rowsAnswered(testCases.id, 'id'), rowsAnswered(testCases.featureId, 'featureId'))] },
);

/** Sets the status of all test cases in one statement, or of none when one is unknown; in no order. */
export function updateTestResults(
  database: Database,
  organizationId: string,
  rows: readonly { id: string; status: TestCase['status'] }[],
): Promise<TestCase[]> {
  return updateResults.run(database, { organizationId, rows: JSON.stringify(rows) });
}
