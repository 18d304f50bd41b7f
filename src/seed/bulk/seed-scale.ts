import type { Database, Value } from '../../db/database.ts';
import type { CompiledStatement } from '../../db/statement.ts';
import { StartupError } from '../../errors.ts';
import {
  floorToHour,
  insertOrganization,
  insertPeople,
  insertSurroundings,
  preparePartitions,
  type SeedOptions,
} from '../demo.ts';
import {
  applyLoadSettings,
  needsVacuum,
  requireVacuum,
  seededTables,
  truncateAll,
  vacuumTables,
} from '../maintenance.ts';
import { lakeside, riverbank } from '../organizations.ts';
import { createPredictionLog } from '../prediction-log.ts';
import type { Progress } from '../progress.ts';
import { listOrganizationNames, lockSeed } from '../queries.ts';
import { insertBulkConversations, insertBulkMessages } from './conversation-queries.ts';
import { insertBulkDeployments, insertBulkFeatures, insertBulkTestCases } from './feature-queries.ts';
import type { Scale } from './scale.ts';
import { dropStructure } from './table-structure.ts';
import { prepareWords } from './words.ts';

const bulkTables = ['features', 'test_cases', 'deployments', 'conversations', 'messages'];
// Large enough that the cost of a statement does not count, small enough that the bar moves every second or two.
const featuresPerStatement = 20_000;
const messagesPerStatement = 100_000;

export interface ScaleOptions extends SeedOptions {
  scale: Scale;
  progress: Progress;
}

/**
 * Fills an empty database (or one to be emptied) with the demo's two organizations, the demo organization at a scale.
 * One transaction up to the VACUUM, so that a killed run leaves what was there before; tables are locked while it lasts.
 * @throws StartupError when there are data and `isReset` is not set
 */
export async function seedScale(options: ScaleOptions): Promise<void> {
  const { database, isReset = false, progress } = options;
  if (!isReset) await refuseData(database);
  await database.transaction(async (transaction) => {
    await lockSeed(transaction, () => progress.note('Another process is seeding this database: waiting for it.'));
    if (!isReset) await refuseData(transaction);
    await applyLoadSettings(transaction);
    await truncateAll(transaction);
    await load(transaction, options);
    await requireVacuum(transaction);
  });
  await vacuum(database, progress);
}

async function refuseData(database: Database): Promise<void> {
  const names = await listOrganizationNames(database);
  if (names.length === 0) return;
  throw new StartupError(
    `the database holds data already (${names.join(', ')}): add --reset to delete all of it and seed again`,
  );
}

/** Finishes a seed that was killed after its data were complete; false when there is nothing to finish. */
export async function finishInterrupted(database: Database, progress: Progress): Promise<boolean> {
  if (!(await needsVacuum(database))) return false;
  await vacuum(database, progress);
  return true;
}

async function load(transaction: Database, { inference, now, scale, progress }: ScaleOptions): Promise<void> {
  const nowMs = floorToHour(now);
  await preparePartitions(transaction, nowMs);
  progress.begin('groundwork', 3);
  await insertOrganization(transaction, inference, lakeside, nowMs);
  progress.advance(1);
  const people = await insertPeople(transaction, riverbank, scale.users, nowMs);
  const activeIds = people.filter((person) => person.isActive).map((person) => person.id);
  await insertSurroundings(transaction, inference, riverbank, activeIds, nowMs);
  progress.advance(1);
  const log = createPredictionLog('bulk dialogues', nowMs);
  const { texts, users, dialogues, longestMs } = await prepareWords(
    transaction,
    { inference, log, organizationId: riverbank.id },
    people,
    scale,
    nowMs,
  );
  await log.store(transaction);
  progress.advance(1);
  progress.end();

  const structure = await dropStructure(transaction, bulkTables);
  const common = { organizationId: riverbank.id, nowMs };
  const ofFeatures = { ...common, total: scale.features, texts, owners: users };
  const ofTalk = { ...common, total: scale.conversations, longestMs, dialogues, users };
  const mean = scale.messagesPerConversation;
  const run = (step: string, rows: number, statement: CompiledStatement<never>, parents: Parents) =>
    runInSteps(transaction, progress, { step, rows, statement, ...parents });
  const byFeature = { values: ofFeatures, count: scale.features, perStatement: featuresPerStatement };
  await run('features', scale.features, insertBulkFeatures, byFeature);
  await run('test cases', scale.testCases, insertBulkTestCases, byFeature);
  await run('deployments', scale.deployments, insertBulkDeployments, byFeature);
  const byConversation = { values: ofTalk, count: scale.conversations, perStatement: featuresPerStatement };
  await run('conversations', scale.conversations, insertBulkConversations(mean), byConversation);
  const perStatement = Math.max(1, Math.floor(messagesPerStatement / mean));
  await run('messages', scale.messages, insertBulkMessages(mean), { ...byConversation, perStatement });
  progress.begin('indexes, keys', structure.count);
  await structure.restore(() => progress.advance(1));
  progress.end();
}

interface Parents {
  values: Readonly<Record<string, Value>>;
  /** Rows that are numbered: features or conversations. */
  count: number;
  perStatement: number;
}

async function runInSteps(
  transaction: Database,
  progress: Progress,
  work: Parents & { step: string; rows: number; statement: CompiledStatement<never> },
): Promise<void> {
  progress.begin(work.step, work.rows);
  let done = 0;
  for (let from = 0; from < work.count; from += work.perStatement) {
    const to = Math.min(from + work.perStatement, work.count);
    await work.statement.run(transaction, { ...work.values, from, to });
    const soFar = Math.round((work.rows * to) / work.count);
    progress.advance(soFar - done);
    done = soFar;
  }
  progress.end();
}

async function vacuum(database: Database, progress: Progress): Promise<void> {
  progress.begin('vacuum', seededTables.length);
  await vacuumTables(database, () => progress.advance(1));
  progress.end();
}
