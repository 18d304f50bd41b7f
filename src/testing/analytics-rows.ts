import type { Viewer } from '../context.ts';
import type { Database } from '../db/database.ts';
import { idAt, newId } from '../db/id.ts';
import { insertSite } from '../domains/predictions/queries.ts';
import { createFeatures, createUser } from './seed-builders.ts';

/** What was written, in the words of the tables; times are ISO-8601 with milliseconds. */
export interface AnalyticsRows {
  siteIds: [string, string];
  features: { id: string; createdAt: string; completedAt: string | null; complexityPoints: number }[];
  deployments: { createdAt: string; finishedAt: string | null; status: string; environment: string }[];
  conversations: { id: string; createdAt: string }[];
  messages: {
    createdAt: string;
    authorId: string | null;
    sentimentLabel: string | null;
    sentimentScore: number | null;
  }[];
  readings: { siteId: string; at: string; loadMw: number }[];
  forecastPoints: { siteId: string; version: string; at: string; p10: number; p50: number; p90: number }[];
}

type Random = () => number;

/** Numbers in [0, 1), the same ones each time (mulberry32). */
function createRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Rows of every kind that analytics counts, at random times from a week before the range to a week after it. */
export async function seedAnalyticsRows(
  database: Database,
  viewer: Viewer,
  range: { from: string; to: string },
): Promise<AnalyticsRows> {
  const random = createRandom(4711);
  const weekMs = 7 * 86_400_000;
  const fromMs = Date.parse(range.from) - weekMs;
  const spanMs = Date.parse(range.to) + weekMs - fromMs;
  const moment = () => new Date(fromMs + Math.floor(random() * spanMs)).toISOString();
  const authors = [viewer.userId, await createUser(database, viewer.organizationId)];
  const siteIds = await createSites(database, viewer);
  const rows: AnalyticsRows = {
    siteIds,
    features: makeFeatures(random, moment),
    deployments: makeDeployments(random, moment),
    conversations: many(40, () => withId(moment())),
    messages: makeMessages(random, moment, authors),
    readings: makeReadings(random, siteIds, fromMs, spanMs),
    forecastPoints: makePoints(random, siteIds, fromMs, spanMs),
  };
  // The borders of the range themselves.
  for (const createdAt of [range.from, range.to]) {
    rows.features.push({ id: newId(), createdAt, completedAt: createdAt, complexityPoints: 1 });
    rows.messages.push({ createdAt, authorId: null, sentimentLabel: 'POSITIVE', sentimentScore: 1 });
    rows.conversations.push(withId(createdAt));
    rows.deployments.push({ createdAt, finishedAt: createdAt, status: 'SUCCEEDED', environment: 'STAGING' });
  }
  await insertAll(database, viewer, rows);
  return rows;
}

/** A feature created at a moment. */
export async function createFeatureAt(database: Database, viewer: Viewer, moment: string): Promise<void> {
  const [feature] = await createFeatures(database, viewer, [{}]);
  const statement = { name: 'testDateFeature', text: 'update features set created_at = $2 where id = $1' };
  await database.run(statement, [feature!.id, moment]);
}

/** Readings within an hour, and what version 1 said of it. */
export async function addForecastHour(
  database: Database,
  viewer: Viewer,
  { siteId, at, loads, p50, spread }: { siteId: string; at: string; loads: number[]; p50: number; spread: number },
): Promise<void> {
  const timeOf = (index: number) => new Date(Date.parse(at) + index * 60_000).toISOString();
  const readings = loads.map((loadMw, index) => ({ siteId, at: timeOf(index), loadMw }));
  const point = { siteId, version: '1', at, p10: p50 - spread, p50, p90: p50 + spread };
  await insert(database, viewer, 'readings', readings);
  await insert(database, viewer, 'forecast_points', [{ ...point, model: 'energy-forecast', issuedAt: at }]);
}

async function createSites(database: Database, { organizationId }: Viewer): Promise<[string, string]> {
  const create = () => insertSite(database, organizationId, { name: 'Plant', timeZone: 'Europe/Berlin', holidays: [] });
  return [(await create()).id, (await create()).id];
}

function makeFeatures(random: Random, moment: () => string): AnalyticsRows['features'] {
  return many(60, () => ({
    id: newId(),
    createdAt: moment(),
    completedAt: random() < 0.5 ? moment() : null,
    complexityPoints: Math.floor(random() * 20),
  }));
}

function makeDeployments(random: Random, moment: () => string): AnalyticsRows['deployments'] {
  return many(120, () => {
    const createdAt = moment();
    const status = pick(random, ['SUCCEEDED', 'SUCCEEDED', 'FAILED', 'ROLLED_BACK', 'RUNNING', 'PENDING']);
    const finished = new Date(Date.parse(createdAt) + Math.floor(random() * 600_000)).toISOString();
    const finishedAt = ['RUNNING', 'PENDING'].includes(status) ? null : finished;
    return { createdAt, finishedAt, status, environment: pick(random, ['DEVELOPMENT', 'STAGING', 'PRODUCTION']) };
  });
}

function makeMessages(random: Random, moment: () => string, authors: string[]): AnalyticsRows['messages'] {
  return many(300, () => {
    const isScored = random() < 0.9;
    return {
      createdAt: moment(),
      authorId: random() < 0.3 ? null : pick(random, authors),
      sentimentLabel: isScored ? pick(random, ['NEGATIVE', 'NEUTRAL', 'POSITIVE']) : null,
      sentimentScore: isScored ? Math.fround(random()) : null,
    };
  });
}

/** Every half hour but for gaps, the second site also below zero. */
function makeReadings(random: Random, siteIds: string[], fromMs: number, spanMs: number): AnalyticsRows['readings'] {
  const halfHours = Math.floor(spanMs / 1_800_000);
  return siteIds.flatMap((siteId, site) =>
    many(halfHours, (index) => ({
      siteId,
      at: new Date(fromMs + index * 1_800_000).toISOString(),
      loadMw: 100 - site * 150 + random() * 50,
    })).filter((_, index) => index % 500 < 350),
  );
}

function makePoints(
  random: Random,
  siteIds: string[],
  fromMs: number,
  spanMs: number,
): AnalyticsRows['forecastPoints'] {
  const startMs = Math.ceil(fromMs / 3_600_000) * 3_600_000;
  return many(200, (index) => {
    const p50 = 50 + random() * 100;
    const hour = Math.floor((index / 200) * (spanMs / 3_600_000));
    const at = new Date(startMs + hour * 3_600_000).toISOString();
    return {
      siteId: siteIds[index % 2]!,
      version: String(1 + (index % 3 === 0 ? 1 : 0)),
      at,
      p10: p50 - 20,
      p50,
      p90: p50 + 20,
    };
  });
}

async function insertAll(database: Database, viewer: Viewer, rows: AnalyticsRows): Promise<void> {
  const ownerId = viewer.userId;
  const status = 'DONE';
  const features = rows.features.map((feature) => ({ name: 'x', description: '', status, ownerId, ...feature }));
  await insert(database, viewer, 'features', features);
  const featureId = rows.features[0]!.id;
  const deployments = rows.deployments.map((row) => ({ ...withId(row.createdAt), version: '1', featureId, ...row }));
  await insert(database, viewer, 'deployments', deployments);
  const conversations = rows.conversations.map((row) => ({ title: 'x', userId: ownerId, ...row }));
  await insert(database, viewer, 'conversations', conversations);
  const conversationId = rows.conversations[0]!.id;
  const messages = rows.messages.map((row) => ({
    ...withId(row.createdAt),
    role: 'USER',
    content: 'x',
    conversationId,
    ...row,
  }));
  await insert(database, viewer, 'messages', messages);
  await insert(database, viewer, 'readings', rows.readings);
  const issued = rows.forecastPoints.map((row) => ({ model: 'energy-forecast', issuedAt: row.at, ...row }));
  await insert(database, viewer, 'forecast_points', issued);
}

/** Inserts rows as they are, their properties in the place of the columns of the same name. */
async function insert(database: Database, viewer: Viewer, table: string, rows: readonly object[]): Promise<void> {
  const toColumn = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const entries = rows.map((row) =>
    Object.fromEntries(
      Object.entries({ ...row, organizationId: viewer.organizationId }).map(([name, value]) => [toColumn(name), value]),
    ),
  );
  const names = Object.keys(entries[0]!).join(', ');
  const text = `insert into ${table} (${names}) select ${names} from jsonb_populate_recordset(null::${table}, $1::jsonb)`;
  await database.run({ name: 'testInsertRows', text }, [JSON.stringify(entries)]);
}

function withId(createdAt: string): { id: string; createdAt: string } {
  return { id: idAt(Date.parse(createdAt)), createdAt };
}

function many<Item>(count: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)]!;
}
