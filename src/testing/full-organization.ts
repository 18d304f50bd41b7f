import type { Viewer } from '../context.ts';
import type { Database } from '../db/database.ts';
import { idAt } from '../db/id.ts';
import { insertConversation, insertMessages } from '../domains/conversations/queries.ts';
import { insertDocument } from '../domains/documents/queries/document.ts';
import { ingestReadings, insertPredictions, insertSite } from '../domains/predictions/queries.ts';
import { createFeatures, createOrganization, createUser } from './seed-builders.ts';

/** What the data of createFullOrganization spans: figures over it hold rows of every kind. */
export const fullRange = { from: '2024-10-25T00:00:00Z', to: '2024-10-28T00:00:00Z' } as const;
/** The updatedAt of its features. */
export const fullUpdatedAt = '2024-10-26T16:00:00Z';

const hourMs = 3_600_000;
/** A passage by a version that no engine has. */
const noMeaning = { version: 'none/1', places: [{ start: 0, length: 5 }], vectors: [Float32Array.of(1, 0)] };
const rangeStartMs = Date.parse(fullRange.from);
const timeOf = (hour: number) => new Date(rangeStartMs + hour * hourMs).toISOString();

/**
 * An organization with rows in every table, the same ones each time but for their ids; every text holds `word`, and
 * loads lie about `level`. A new table needs its rows here: the tests that use this say so.
 */
export async function createFullOrganization(
  database: Database,
  { word, level, count = 3 }: { word: string; level: number; count?: number },
): Promise<Viewer> {
  const viewer = await createOrganization(database, `Organization ${word}`);
  const userIds = [viewer.userId];
  while (userIds.length < 2) userIds.push(await createUser(database, viewer.organizationId));
  for (let index = 0; index < count; index++) {
    await addFeature(database, viewer, `${word} ${index}`, index);
    await addConversation(database, viewer, `${word} ${index}`, index);
    const title = `Manual of ${word} ${index}`;
    const document = {
      id: idAt(rangeStartMs + index),
      title,
      content: `All about ${word}.`,
      uploadedById: viewer.userId,
    };
    await insertDocument(database, viewer.organizationId, document, noMeaning);
    await addSite(database, viewer, `Plant ${word} ${index}`, level + index);
  }
  await run(database, markUsers, [viewer.organizationId, word]);
  await run(database, dateFeatures, [viewer.organizationId, fullRange.from, fullUpdatedAt]);
  await run(database, addRollout, [viewer.organizationId, viewer.userId]);
  await run(database, addKey, [viewer.organizationId, viewer.userId, `key of ${word}`]);
  return viewer;
}

/** Makes none of an organization's features public: what was learnt of them is of no use to others any more. */
export function hideFeatures(database: Database, { organizationId }: Viewer): Promise<unknown> {
  return run(database, 'update features set is_public = false where organization_id = $1', [organizationId]);
}

const markUsers = `update users set name = 'Ada ' || $2, email = $2 || '-' || id || '@test.example' where organization_id = $1`;
const dateFeatures = `update features set created_at = $2::timestamptz + complexity_points * interval '1 hour',
  updated_at = $3, completed_at = $2::timestamptz + interval '30 hours'
  where organization_id = $1`;
const addKey = `insert into idempotency_keys (organization_id, user_id, key, mutation, fingerprint, result)
  values ($1, $2, $3, 'createFeature', '', '[]')`;
const addRollout = `insert into model_rollouts (organization_id, model, weights, baseline_version, shadow_share,
    max_error_rate, max_latency_ratio, min_calls, updated_at, updated_by_id)
  values ($1, 'sentiment', '{"1": 1}', '1', 0, 0.05, 2, 20, now(), $2)`;
const addTestCase = `insert into test_cases (organization_id, id, feature_id, name, status) values ($1, $2, $3, $4, 'FAILED')`;
const addDeployment = `insert into deployments (organization_id, id, feature_id, version, environment, status, created_at, finished_at)
  values ($1, $2, $3, $4, 'PRODUCTION', 'SUCCEEDED', $5, $6)`;

function run(database: Database, text: string, values: readonly string[]): Promise<unknown[]> {
  return database.run({ name: 'testFill', text }, values);
}

async function addFeature(database: Database, viewer: Viewer, word: string, index: number): Promise<void> {
  const [feature] = await createFeatures(database, viewer, [
    {
      name: `Feature ${word}`,
      description: `It brings ${word}.`,
      status: 'DONE',
      complexityPoints: index + 1,
      isPublic: index % 2 === 0,
    },
  ]);
  for (let number = 0; number < 2; number++) {
    const id = idAt(rangeStartMs + 10 * index + number);
    const ids = [viewer.organizationId, id, feature!.id];
    await run(database, addTestCase, [...ids, `Test ${word} ${number}`]);
    await run(database, addDeployment, [...ids, `1.0-${word}-${number}`, timeOf(index + 1), timeOf(index + 2)]);
  }
}

async function addConversation(database: Database, viewer: Viewer, word: string, index: number): Promise<void> {
  const createdAt = timeOf(index + 1);
  const id = idAt(Date.parse(createdAt), index);
  const conversation = { id, title: `Help with ${word}`, userId: viewer.userId, createdAt };
  await insertConversation(database, viewer.organizationId, conversation);
  const rows = [`I love ${word}.`, `${word} is broken again.`].map((content, number) => ({
    id: idAt(Date.parse(createdAt) + 1000 * (number + 1)),
    role: 'USER' as const,
    content,
    authorId: viewer.userId,
    createdAt: new Date(Date.parse(createdAt) + 1000 * (number + 1)).toISOString(),
    sentimentLabel: number === 0 ? ('POSITIVE' as const) : ('NEGATIVE' as const),
    sentimentScore: number === 0 ? 0.9 : 0.1,
  }));
  await insertMessages(database, viewer.organizationId, id, rows);
}

/** A site with readings from 200 hours before the range to its end, a call of the model and its points in the range. */
async function addSite(database: Database, { organizationId }: Viewer, name: string, level: number): Promise<void> {
  const site = await insertSite(database, organizationId, { name, timeZone: 'Europe/Berlin', holidays: [] });
  const hours = Array.from({ length: 272 }, (_, index) => index - 200);
  const loads = hours.map((hour) => level + 20 * Math.sin((hour / 24) * 2 * Math.PI));
  await ingestReadings(database, organizationId, site.id, { times: hours.map(timeOf), loads });
  const points = [1, 2].map((hour) => {
    const band = { p10: level - 30, p50: level, p90: level + 30 };
    return { siteId: site.id, issuedAt: fullRange.from, at: timeOf(hour), ...band };
  });
  const call = { model: 'energy-forecast', version: '1', precision: 'FP32' as const, latencyMs: 5, batchSize: 1 };
  const ended = { cacheHits: 0, error: null, shadowOf: null, agreedRows: null };
  await insertPredictions(database, [{ organizationId, ...call, ...ended, createdAt: timeOf(3), points }]);
}
