import type { Database } from '../db/database.ts';
import { organizations, type User, users } from '../domains/accounts/tables.ts';
import { conversations, messages } from '../domains/conversations/tables.ts';
import { documents } from '../domains/documents/tables.ts';
import { deployments, features, testCases } from '../domains/features/tables.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import { backtestDays, runBacktests } from './backtests.ts';
import { createConversations, createDocuments } from './conversations.ts';
import { createFeatures } from './features.ts';
import { truncateAll } from './maintenance.ts';
import { lakeside, type OrganizationPlan, riverbank } from './organizations.ts';
import { createPeople } from './people.ts';
import { createPredictionLog } from './prediction-log.ts';
import { ensureMonthPartitions, hasOrganization, insertRows, lockSeed } from './queries.ts';
import { applyScores, scoreDistinctTexts } from './scores.ts';
import { insertSites, readingDays } from './sites.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export interface SeedOptions {
  database: Database;
  inference: InferenceEngine;
  /** The moment that the data lead up to; floored to the hour. */
  now: Date;
  /** Empty all tables first, whatever is in them. Default: false. */
  isReset?: boolean;
}

/**
 * Fills the database with the two organizations of the demo unless the demo organization is there.
 * One transaction: an interrupted seed leaves nothing behind, and of processes that start together one seeds.
 */
export async function seedDemoOnce(options: SeedOptions): Promise<'seeded' | 'present'> {
  const { database, inference, now, isReset = false } = options;
  if (!isReset && (await hasOrganization(database, riverbank.id))) return 'present';
  return database.transaction(async (transaction) => {
    await lockSeed(transaction);
    if (isReset) await truncateAll(transaction);
    else if (await hasOrganization(transaction, riverbank.id)) return 'present';
    const nowMs = floorToHour(now);
    await preparePartitions(transaction, nowMs);
    for (const plan of [riverbank, lakeside]) await insertOrganization(transaction, inference, plan, nowMs);
    return 'seeded';
  });
}

/** The hour that a seed made now leads up to. */
export function floorToHour(now: Date): number {
  return Math.floor(now.getTime() / hourMs) * hourMs;
}

/** The partitions of every month that a seed writes rows of. */
export async function preparePartitions(database: Database, nowMs: number): Promise<void> {
  const days = { messages: 366, predictions: backtestDays, readings: readingDays, forecast_points: backtestDays };
  const to = new Date(nowMs + 2 * dayMs).toISOString();
  for (const table of ['messages', 'predictions', 'readings', 'forecast_points'] as const) {
    await ensureMonthPartitions(database, { table, from: new Date(nowMs - days[table] * dayMs).toISOString(), to });
  }
}

/** An organization with all its rows. */
export async function insertOrganization(
  database: Database,
  inference: InferenceEngine,
  plan: OrganizationPlan,
  nowMs: number,
): Promise<void> {
  const people = await insertPeople(database, plan, plan.people, nowMs);
  const activeIds = people.filter((person) => person.isActive).map((person) => person.id);
  const built = createFeatures(plan, activeIds, nowMs);
  await insertRows(database, features, built.features);
  await insertRows(database, testCases, built.testCases);
  await insertRows(database, deployments, built.deployments);
  const talk = createConversations(plan, activeIds, nowMs);
  const log = createPredictionLog(`conversations of ${plan.name}`, nowMs);
  const texts = talk.messages.map((message) => message.content);
  const scores = await scoreDistinctTexts(inference, log, plan.id, texts);
  await insertRows(database, conversations, talk.conversations);
  await insertRows(database, messages, applyScores(talk.messages, scores));
  await log.store(database);
  await insertSurroundings(database, inference, plan, activeIds, nowMs);
}

/** The organization itself and its people. */
export async function insertPeople(
  database: Database,
  plan: OrganizationPlan,
  count: number,
  nowMs: number,
): Promise<User[]> {
  const { id, name, createdAt } = plan;
  await insertRows(database, organizations, [{ id, name, createdAt }]);
  const people = createPeople(plan, count, nowMs - 365 * dayMs);
  await insertRows(database, users, people);
  return people;
}

/** What does not grow with the scale: documents, sites with their readings, and forecasts to compare with them. */
export async function insertSurroundings(
  database: Database,
  inference: InferenceEngine,
  plan: OrganizationPlan,
  uploaderIds: readonly string[],
  nowMs: number,
): Promise<void> {
  await insertRows(database, documents, createDocuments(plan, uploaderIds, nowMs));
  const sites = await insertSites(database, plan, nowMs);
  const log = createPredictionLog(`forecasts of ${plan.name}`, nowMs);
  await runBacktests({ database, inference, log }, sites, nowMs);
  await log.store(database);
}
