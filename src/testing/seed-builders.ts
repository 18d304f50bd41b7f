import { sql } from 'drizzle-orm';
import { scopes, type Viewer } from '../context.ts';
import type { Database } from '../db/database.ts';
import { idAt, newId } from '../db/id.ts';
import { arg, statement } from '../db/statement.ts';
import { insertConversation, insertMessages } from '../domains/conversations/queries.ts';
import { insertFeatures, insertTestCases } from '../domains/features/queries.ts';
import type { Feature } from '../domains/features/tables.ts';
import { ingestReadings, insertSite } from '../domains/predictions/queries.ts';

const insertOrganization = statement(
  'testInsertOrganization',
  sql`with organization as (insert into organizations (id, name) values (${arg('organizationId')}, ${arg('name')}))
    select 1 as done`,
);
const insertUser = statement(
  'testInsertUser',
  sql`insert into users (organization_id, id, name, email) values (${arg('organizationId')}, ${arg('id')}, ${arg('name')}, ${arg('email')})`,
);
const insertDeployment = statement(
  'testInsertDeployments',
  sql`insert into deployments (organization_id, id, feature_id, version, environment, status, created_at, finished_at)
    select ${arg('organizationId')}::uuid, id, ${arg('featureId')}::uuid, version, environment, status, "createdAt", "finishedAt"
    from jsonb_to_recordset(${arg('rows')}::jsonb) as input(id uuid, version text, environment environment, status deployment_status,
      "createdAt" timestamptz, "finishedAt" timestamptz)`,
);

/** An organization and its first user. */
export async function createOrganization(database: Database, name = 'Test'): Promise<Viewer> {
  const organizationId = newId();
  await insertOrganization.run(database, { organizationId, name });
  return { organizationId, userId: await createUser(database, organizationId), scopes };
}

export async function createUser(database: Database, organizationId: string, name = 'Ada'): Promise<string> {
  const id = newId();
  await insertUser.run(database, { organizationId, id, name, email: `${id}@test.example` });
  return id;
}

/** Features of the viewer, in order; what is left out takes plain values. */
export function createFeatures(
  database: Database,
  { organizationId, userId }: Viewer,
  features: readonly Partial<
    Pick<Feature, 'name' | 'description' | 'status' | 'complexityPoints' | 'ownerId' | 'isPublic'>
  >[],
): Promise<Feature[]> {
  const rows = features.map((feature, index) => ({
    name: `Feature ${index}`,
    status: 'PLANNED' as const,
    complexityPoints: 1,
    ownerId: userId,
    description: '',
    isPublic: false,
    ...feature,
    id: newId(),
  }));
  return insertFeatures(database, organizationId, rows);
}

export function createTestCases(database: Database, { organizationId }: Viewer, featureId: string, count: number) {
  const statuses = ['PASSED', 'FAILED', 'PENDING', 'SKIPPED'] as const;
  const rows = Array.from({ length: count }, (_, index) => ({
    id: newId(),
    name: `Test ${index}`,
    status: statuses[index % statuses.length]!,
  }));
  return insertTestCases(database, organizationId, featureId, rows);
}

export async function createDeployments(
  database: Database,
  { organizationId }: Viewer,
  featureId: string,
  count: number,
) {
  const environments = ['DEVELOPMENT', 'STAGING', 'PRODUCTION'] as const;
  const rows = Array.from({ length: count }, (_, index) => ({
    id: newId(),
    version: `1.${index}.0`,
    environment: environments[index % environments.length]!,
    status: index % 4 === 3 ? 'FAILED' : 'SUCCEEDED',
    createdAt: new Date(Date.now() - (count - index) * 60_000).toISOString(),
    finishedAt: new Date(Date.now() - (count - index) * 60_000 + 30_000).toISOString(),
  }));
  await insertDeployment.run(database, { organizationId, featureId, rows: JSON.stringify(rows) });
  return rows;
}

/** A conversation of the viewer whose messages alternate between user and assistant, a minute apart, starting an hour ago. */
export async function createConversation(
  database: Database,
  { organizationId, userId }: Viewer,
  texts: readonly string[],
) {
  const startMs = Date.now() - 3_600_000;
  const id = idAt(startMs);
  const createdAt = new Date(startMs).toISOString();
  const conversation = await insertConversation(database, organizationId, { id, title: 'Help', userId, createdAt });
  const rows = texts.map((content, index) => ({
    id: idAt(startMs + (index + 1) * 60_000),
    role: index % 2 === 0 ? ('USER' as const) : ('ASSISTANT' as const),
    content,
    authorId: index % 2 === 0 ? userId : null,
    createdAt: new Date(startMs + (index + 1) * 60_000).toISOString(),
    sentimentLabel: null,
    sentimentScore: null,
  }));
  const messages = rows.length > 0 ? await insertMessages(database, organizationId, id, rows) : [];
  return { conversation: conversation!, messages };
}

/** A site with hourly readings of a plain daily wave up to `lastHour`. */
export async function createSite(database: Database, { organizationId }: Viewer, hours: number, lastHour = new Date()) {
  const site = await insertSite(database, organizationId, { name: 'Plant', timeZone: 'Europe/Berlin', holidays: [] });
  const endMs = Math.floor(lastHour.getTime() / 3_600_000) * 3_600_000;
  const times = Array.from({ length: hours }, (_, index) =>
    new Date(endMs - (hours - index) * 3_600_000).toISOString(),
  );
  const loads = times.map((time) => 100 + 20 * Math.sin((Date.parse(time) / 86_400_000) * 2 * Math.PI));
  if (hours > 0) await ingestReadings(database, organizationId, site.id, { times, loads });
  return site;
}
