import type { Deployment, Feature, TestCase } from '../domains/features/tables.ts';
import { acceptances, notes, qualifiers, testNames } from './corpus/feature-words.ts';
import { type ProductArea, productAreas } from './corpus/product-areas.ts';
import { createSeededIds, isoTime, type SeededIds } from './ids.ts';
import type { OrganizationPlan } from './organizations.ts';
import { createRandom, type Random } from './random.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const storyPoints = [1, 2, 2, 3, 3, 3, 5, 5, 5, 8, 8, 13, 20, 40];

/** What a feature is called and about. */
export interface FeatureText {
  name: string;
  description: string;
  /** What its test cases are about. */
  objects: string;
}

export interface FeatureRows {
  features: Feature[];
  testCases: TestCase[];
  deployments: Deployment[];
}

/** Texts of features, the names all different up to some 25,000. */
export function writeFeatureTexts(seed: string, count: number): FeatureText[] {
  const random = createRandom(`feature texts of ${seed}`);
  const taken = new Set<string>();
  return Array.from({ length: count }, () => {
    let text = writeFeatureText(random);
    for (let attempt = 0; taken.has(text.name) && attempt < 20; attempt++) text = writeFeatureText(random);
    taken.add(text.name);
    return text;
  });
}

/** Names for the test cases of a text, all different, at most as many as the corpus has. */
export function listTestNames(random: Random, { objects }: FeatureText, count: number): string[] {
  return random
    .shuffled(testNames)
    .slice(0, count)
    .map((name) => name.replace('{objects}', objects));
}

/** An organization's features of the last 12 months with their test cases and deployments, oldest first. */
export function createFeatures(plan: OrganizationPlan, ownerIds: readonly string[], nowMs: number): FeatureRows {
  const random = createRandom(`features of ${plan.name}`);
  const context: Context = {
    organizationId: plan.id,
    random,
    roadmap: createRandom(`roadmap of ${plan.name}`),
    newId: createSeededIds(`features of ${plan.name}`),
    nowMs,
  };
  const texts = writeFeatureTexts(plan.name, plan.features);
  // More features lately than a year ago, as in a team that grows.
  const ages = texts.map(() => 365 * random.next() ** 1.35).sort((a, b) => b - a);
  const rows: FeatureRows = { features: [], testCases: [], deployments: [] };
  texts.forEach((text, index) => {
    const life = simulateLife(random, nowMs - Math.max(0.02, ages[index]!) * dayMs, nowMs);
    const feature = createFeature(context, text, random.pick(ownerIds), life);
    rows.features.push(feature);
    rows.testCases.push(...createTestCases(context, feature.id, text, life));
    rows.deployments.push(...createDeployments(context, feature.id, life));
  });
  return rows;
}

interface Context {
  organizationId: string;
  random: Random;
  /** What is public: a series of its own, so that it changes nothing else. */
  roadmap: Random;
  newId: SeededIds;
  nowMs: number;
}

interface Life {
  status: Feature['status'];
  createdMs: number;
  /** null: nobody has begun. */
  startedMs: number | null;
  updatedMs: number;
}

/** Waits, is built, is reviewed, is done; some are given up on the way. */
function simulateLife(random: Random, bornMs: number, nowMs: number): Life {
  const createdMs = Math.floor(toWorkingHours(random, bornMs, nowMs));
  const startedMs = Math.floor(createdMs + random.exponential(40) * dayMs);
  const reviewMs = Math.floor(startedMs + (1 + random.exponential(25)) * dayMs);
  const doneMs = Math.floor(reviewMs + (0.1 + random.exponential(12)) * dayMs);
  const cancelledMs = random.chance(0.08)
    ? Math.floor(createdMs + random.exponential(40) * dayMs)
    : Number.POSITIVE_INFINITY;
  const life = (status: Life['status'], updatedMs: number): Life => {
    return { status, createdMs, startedMs: startedMs <= updatedMs ? startedMs : null, updatedMs };
  };
  if (cancelledMs < Math.min(doneMs, nowMs)) return life('CANCELLED', cancelledMs);
  if (doneMs <= nowMs) return life('DONE', doneMs);
  if (reviewMs <= nowMs) return life('IN_REVIEW', reviewMs);
  if (startedMs <= nowMs) return life('IN_PROGRESS', Math.floor(startedMs + random.next() * (nowMs - startedMs)));
  return life('PLANNED', random.chance(0.7) ? createdMs : Math.floor(createdMs + random.next() * (nowMs - createdMs)));
}

/** The same day between 7 and 18 UTC, unless that is still to come. */
function toWorkingHours(random: Random, timeMs: number, nowMs: number): number {
  const moved = timeMs - (timeMs % dayMs) + (7 + 11 * random.next()) * 60 * minuteMs;
  return moved <= nowMs ? moved : timeMs;
}

function createFeature(
  { organizationId, random, roadmap, newId }: Context,
  text: FeatureText,
  ownerId: string,
  life: Life,
): Feature {
  const { status, createdMs, updatedMs } = life;
  return {
    organizationId,
    id: newId(createdMs),
    name: text.name,
    description: text.description,
    status,
    complexityPoints: random.pick(storyPoints),
    ownerId,
    createdAt: isoTime(createdMs),
    updatedAt: isoTime(updatedMs),
    completedAt: status === 'DONE' ? isoTime(updatedMs) : null,
    isPublic: status !== 'CANCELLED' && roadmap.chance(0.2),
  };
}

const testOdds: Record<Feature['status'], Record<TestCase['status'], number>> = {
  PLANNED: { PENDING: 1, PASSED: 0, FAILED: 0, SKIPPED: 0 },
  IN_PROGRESS: { PENDING: 5, PASSED: 3, FAILED: 1.5, SKIPPED: 0.5 },
  IN_REVIEW: { PENDING: 1, PASSED: 7, FAILED: 1.5, SKIPPED: 0.5 },
  DONE: { PENDING: 0.1, PASSED: 9, FAILED: 0.3, SKIPPED: 0.6 },
  CANCELLED: { PENDING: 4, PASSED: 2, FAILED: 1, SKIPPED: 3 },
};

function createTestCases(
  { organizationId, random, newId }: Context,
  featureId: string,
  text: FeatureText,
  life: Life,
): TestCase[] {
  const most = life.status === 'PLANNED' ? 6 : 12;
  const count = random.chance(0.07) ? 0 : random.integer(1, most);
  return listTestNames(random, text, count).map((name) => {
    const createdMs = Math.floor(life.createdMs + random.next() * (life.updatedMs - life.createdMs));
    const status = random.weighted(testOdds[life.status]);
    return { organizationId, id: newId(createdMs), featureId, name, status, createdAt: isoTime(createdMs) };
  });
}

const environments = {
  PLANNED: [],
  IN_PROGRESS: ['DEVELOPMENT', 'DEVELOPMENT', 'STAGING'],
  IN_REVIEW: ['DEVELOPMENT', 'STAGING', 'STAGING'],
  DONE: ['DEVELOPMENT', 'DEVELOPMENT', 'STAGING', 'STAGING', 'PRODUCTION', 'PRODUCTION'],
  CANCELLED: ['DEVELOPMENT'],
} as const satisfies Record<Feature['status'], readonly Deployment['environment'][]>;
const outcomes: Record<Deployment['environment'], Record<'SUCCEEDED' | 'FAILED' | 'ROLLED_BACK', number>> = {
  DEVELOPMENT: { SUCCEEDED: 85, FAILED: 15, ROLLED_BACK: 0 },
  STAGING: { SUCCEEDED: 90, FAILED: 8, ROLLED_BACK: 2 },
  PRODUCTION: { SUCCEEDED: 94, FAILED: 2, ROLLED_BACK: 4 },
};
const medianMinutes: Record<Deployment['environment'], number> = { DEVELOPMENT: 2.5, STAGING: 5, PRODUCTION: 9 };

/** From development to production, in that order; those of the last minutes still wait or run. */
function createDeployments(
  { organizationId, random, newId, nowMs }: Context,
  featureId: string,
  life: Life,
): Deployment[] {
  const path = environments[life.status];
  if (life.startedMs === null || path.length === 0) return [];
  const { startedMs } = life;
  const lastMs = life.status === 'IN_PROGRESS' ? nowMs : life.updatedMs;
  const count = Math.min(path.length, random.integer(0, path.length + 1));
  const steps = random
    .shuffled(path.map((_, step) => step))
    .slice(0, count)
    .sort((a, b) => a - b);
  const times = steps.map(() => startedMs + random.next() * (lastMs - startedMs)).sort((a, b) => a - b);
  // So that there is always something on its way.
  if (life.status === 'IN_PROGRESS' && times.length > 0 && random.chance(0.15)) {
    times[times.length - 1] = nowMs - random.next() * 3 * minuteMs;
  }
  return steps.map((step, index) => {
    const environment = path[step]!;
    const createdMs = Math.floor(times[index]!);
    const finishedMs = Math.floor(createdMs + medianMinutes[environment] * Math.exp(0.45 * random.gauss()) * minuteMs);
    const isRunning = finishedMs > nowMs;
    const status = isRunning ? random.pick(['PENDING', 'RUNNING'] as const) : random.weighted(outcomes[environment]);
    return {
      organizationId,
      id: newId(createdMs),
      featureId,
      version: versionAt(createdMs, index),
      environment,
      status,
      createdAt: isoTime(createdMs),
      finishedAt: isRunning ? null : isoTime(finishedMs),
    };
  });
}

/** A release a week: year, week, and the build within it. */
function versionAt(createdMs: number, build: number): string {
  const created = new Date(createdMs);
  const week = Math.floor((createdMs - Date.UTC(created.getUTCFullYear(), 0, 1)) / (7 * dayMs)) + 1;
  return `${created.getUTCFullYear() - 2020}.${week}.${created.getUTCDay() * 10 + build}`;
}

function writeFeatureText(random: Random): FeatureText {
  const area: ProductArea = random.pick(productAreas);
  const [verb, objects] = [random.pick(area.verbs), random.pick(area.objects)];
  const qualifier = random.chance(0.75) ? ` ${random.pick(qualifiers)}` : '';
  const wish = `${verb.toLowerCase()} ${objects}${qualifier}`;
  const sentences = [
    `${random.pick(area.people)} want to ${wish} instead of ${random.pick(area.pains)}.`,
    random.pick(acceptances),
    random.pick(notes),
  ];
  return {
    name: `${verb} ${objects}${qualifier}`,
    description: `${area.name}: ${sentences.join(' ').trim()}`,
    objects,
  };
}
