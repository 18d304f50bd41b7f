import type { GraphQLSchema } from 'graphql';
import type { Viewer } from '../../context.ts';
import { createRandom } from '../../seed/random.ts';
import { createFullOrganization } from '../full-organization.ts';
import type { Harvest } from '../harvest.ts';
import { type TestApp, viewerHeader } from '../test-app.ts';
import { type Forbidden, judgeAnswer, type Verdict } from './judge-answer.ts';
import type { FuzzData } from './slot-value.ts';
import { type FuzzOperation, writeOperation } from './write-operation.ts';

export interface FuzzOptions {
  seed: number;
  /** Numbers of the operations to run, ascending. */
  numbers: readonly number[];
  /** What belongs to an organization whose data must never be seen. */
  foreign: Harvest;
  /** A word in all of its texts. */
  foreignWord: string;
  forbidden: Forbidden;
  /** What a viewer can reach; `word` is in its texts. */
  harvest(viewer: Viewer, word: string): Promise<Harvest>;
}

/** An operation that was answered as none may be, or not at all. */
export interface FuzzFailure {
  number: number;
  faults: string[];
  viewer: Viewer | null;
  operation: FuzzOperation;
}

export interface FuzzReport {
  operations: number;
  mutations: number;
  /** Operations that answered data and no error. */
  clean: number;
  /** Operations by the codes of their errors, each code once for an operation. */
  operationsByCode: Map<string, number>;
  /** Coordinates in operations that answered data and no error. */
  covered: Set<string>;
  failures: FuzzFailure[];
  slowest: { number: number; durationMs: number };
}

const ownWord = 'plainword';
const rowsOfEachKind = 8;
/** An organization serves so many operations, as mutations use up what it has. */
const operationsPerOrganization = 1_000;
const concurrency = 8;
/** A request has 10 s by default; what comes after that was not answered by the server's own deadline. */
const answerTimeoutMs = 15_000;

/** Runs operations of a seed, several at a time; rows are made anew for every thousand numbers. */
export async function runFuzz(app: TestApp, schema: GraphQLSchema, options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = {
    operations: 0,
    mutations: 0,
    clean: 0,
    operationsByCode: new Map(),
    covered: new Set(),
    failures: [],
    slowest: { number: -1, durationMs: 0 },
  };
  const parts = Map.groupBy(options.numbers, (number) => Math.floor(number / operationsPerOrganization));
  for (const numbers of parts.values()) await runPart(app, schema, { ...options, numbers }, report);
  return report;
}

async function runPart(
  app: TestApp,
  schema: GraphQLSchema,
  { seed, numbers, foreign, foreignWord, forbidden, harvest }: FuzzOptions,
  report: FuzzReport,
): Promise<void> {
  const viewer = await createFullOrganization(app.database.pool, { word: ownWord, level: 100, count: rowsOfEachKind });
  const data: FuzzData = { own: await harvest(viewer, ownWord), ownWord, foreign, foreignWord };
  const waiting = numbers[Symbol.iterator]();
  const work = async () => {
    for (const number of waiting) {
      const operation = writeOperation(schema, data, seed, number);
      const as = viewerOf(viewer, seed, number);
      const { verdict, durationMs } = await ask(app, operation, as, forbidden);
      note(report, { number, operation, viewer: as, verdict, durationMs });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  // The test database keeps what ran on it until somebody asks.
  app.database.takeStatements();
}

/** Mostly the viewer with all that a token may be good for. */
function viewerOf(viewer: Viewer, seed: number, number: number): Viewer | null {
  const random = createRandom(`viewer ${seed}/${number}`);
  const kind = random.weighted({ full: 92, reader: 3, nothing: 2, none: 3 });
  if (kind === 'full') return viewer;
  if (kind === 'none') return null;
  return { ...viewer, scopes: kind === 'reader' ? ['read'] : [] };
}

async function ask(app: TestApp, operation: FuzzOperation, viewer: Viewer | null, forbidden: Forbidden) {
  const startMs = performance.now();
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), answerTimeoutMs);
  try {
    const answer = await Promise.race([send(app, operation, viewer), late]);
    const durationMs = performance.now() - startMs;
    if (answer === null) return { verdict: failed(`no answer within ${answerTimeoutMs} ms`), durationMs };
    return { verdict: judgeAnswer(operation, answer, forbidden), durationMs };
  } catch (error) {
    return { verdict: failed(`the app threw: ${(error as Error).stack}`), durationMs: performance.now() - startMs };
  } finally {
    clearTimeout(timer);
  }
}

const failed = (fault: string): Verdict => ({ faults: [fault], codes: [], hasData: false });

async function send(app: TestApp, { query, variables, operationName }: FuzzOperation, viewer: Viewer | null) {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [viewerHeader]: JSON.stringify(viewer) },
    body: JSON.stringify({ query, variables, operationName }),
  });
  return { status: response.status, body: await response.text() };
}

interface Outcome {
  number: number;
  operation: FuzzOperation;
  viewer: Viewer | null;
  verdict: Verdict;
  durationMs: number;
}

function note(report: FuzzReport, { number, operation, viewer, verdict, durationMs }: Outcome): void {
  report.operations++;
  if (operation.isMutation) report.mutations++;
  if (verdict.hasData && verdict.codes.length === 0) {
    report.clean++;
    for (const coordinate of operation.covered) report.covered.add(coordinate);
  }
  for (const code of new Set(verdict.codes)) {
    report.operationsByCode.set(code, (report.operationsByCode.get(code) ?? 0) + 1);
  }
  if (durationMs > report.slowest.durationMs) report.slowest = { number, durationMs };
  if (verdict.faults.length > 0) report.failures.push({ number, faults: verdict.faults, viewer, operation });
}

/** A failure as somebody reads it who wants to see it again. */
export function describeFailure(seed: number, { number, faults, viewer, operation }: FuzzFailure): string {
  const { query, variables, operationName } = operation;
  const scopes = viewer === null ? 'no viewer' : viewer.scopes.join(' ');
  const request = JSON.stringify({ query, variables, operationName }, shorten);
  const shown = request.length > 5_000 ? `${request.slice(0, 5_000)}… (${request.length} characters)` : request;
  return [`FUZZ_SEED=${seed} FUZZ_ONLY=${number} (${scopes})`, ...faults.slice(0, 5), shown].join('\n  ');
}

/** Of long texts and lists only the beginning. */
function shorten(name: string, value: unknown): unknown {
  const maxLength = name === 'query' ? 3_000 : 200;
  if (typeof value === 'string' && value.length > maxLength) {
    return `${value.slice(0, maxLength)}… (${value.length} characters)`;
  }
  return Array.isArray(value) && value.length > 20 ? [...value.slice(0, 3), `… (${value.length} items)`] : value;
}
