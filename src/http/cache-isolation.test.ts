/**
 * Random questions of two organizations, by all who may ask and all ways to ask, with writes in between: each answer is
 * what a server without a cache says. Other runs: FUZZ_SEED=7 FUZZ_OPERATIONS=10000 npm test -- src/http/cache-isolation.test.ts
 */
import { getOperationAST, parse, validate } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerPolicyOf } from '../cache/document-policy.ts';
import type { Viewer } from '../context.ts';
import { schema } from '../schema/index.ts';
import { createRandom, type Random } from '../seed/random.ts';
import { type CachedServers, createCachedServers, signedHeaders } from '../testing/cached-servers.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import type { FuzzData } from '../testing/fuzz/slot-value.ts';
import { writeOperation } from '../testing/fuzz/write-operation.ts';
import { type Harvest, harvest, valuesOf } from '../testing/harvest.ts';
import { listOperations, printOperation } from '../testing/schema-walk.ts';
import { createUser } from '../testing/seed-builders.ts';
import { sha256Of } from './trusted-documents/manifest.ts';
import { indexDocuments, type TrustedDocuments } from './trusted-documents/trusted-documents.ts';

const seed = Number(process.env.FUZZ_SEED ?? 1);
const count = Number(process.env.FUZZ_OPERATIONS ?? 1_500);
/** Of each organization and each scope. */
const questionsOfEach = 20;
const writeShare = 0.03;
/** Characters: it has to fit into a URL. */
const maxLength = 3_000;

interface Question {
  id: string;
  query: string;
  variables: Record<string, unknown>;
  operationName: string | undefined;
}

interface Organization {
  viewer: Viewer;
  word: string;
  found: Harvest;
}

let servers: CachedServers;
let organizations: Organization[];
let questions: Question[];
/** Found by ids that are known once there are rows. */
let known: TrustedDocuments = indexDocuments([]);
const askers: { who: string; headers: Record<string, string> }[] = [];

beforeAll(async () => {
  servers = await createCachedServers({
    trustedDocuments: { size: 0, find: (id) => known.find(id), has: (body) => known.has(body), toWarm: [] },
  });
  organizations = [await createFilled('quokka', 100), await createFilled('wombat', 700_000)];
  questions = organizations.flatMap((own, index) => writeQuestions(own, organizations[1 - index]!));
  known = indexDocuments(questions.map(({ id, query }) => ({ id, sha256: sha256Of(query), body: query })));
});

afterAll(() => servers.close());

async function createFilled(word: string, level: number): Promise<Organization> {
  const { pool } = servers.app.database;
  const viewer = await createFullOrganization(pool, { word, level, count: 2 });
  const colleague = await createUser(pool, viewer.organizationId);
  const viewers: [string, Viewer | null][] = [
    ['admin', viewer],
    ['reader', { ...viewer, scopes: ['read'] }],
    ['nothing', { ...viewer, scopes: [] }],
    ['colleague', { ...viewer, userId: colleague }],
    ['nobody', null],
  ];
  for (const [name, each] of viewers) {
    askers.push({ who: `${word} ${name}`, headers: await signedHeaders(servers.issuer, each) });
  }
  return { viewer, word, found: await harvest(servers.app, schema, viewer, word) };
}

/** Valid ones that may be kept, as many of a viewer's own as of all of an organization; with ids of the other one, too. */
function writeQuestions(own: Organization, other: Organization): Question[] {
  const data: FuzzData = { own: own.found, ownWord: own.word, foreign: other.found, foreignWord: other.word };
  const written = { organization: [] as Question[], viewer: [] as Question[], public: [] as Question[] };
  const { organization, viewer } = written;
  for (let number = 0; Math.min(organization.length, viewer.length) < questionsOfEach; number++) {
    const operation = writeOperation(schema, data, seed, number);
    const { query, variables, operationName, isMutation, hasHostileLiteral } = operation;
    if (isMutation || hasHostileLiteral || JSON.stringify(operation).length > maxLength) continue;
    const document = parse(query);
    const wanted = getOperationAST(document, operationName);
    if (!wanted || validate(schema, document).length > 0) continue;
    const policy = answerPolicyOf(schema, document, wanted);
    if (policy) written[policy.scope].push({ id: `${own.word}-${number}`, query, variables, operationName });
  }
  return [...organization.slice(0, questionsOfEach), ...viewer.slice(0, questionsOfEach), ...written.public];
}

type Way = (question: Question, headers: Record<string, string>) => [path: string, init: RequestInit];

const json = { 'content-type': 'application/json' };
const post = (path: string, headers: Record<string, string>, body: object): [string, RequestInit] => [
  path,
  { method: 'POST', headers: { ...headers, ...json }, body: JSON.stringify(body) },
];
const get = (path: string, headers: Record<string, string>, given: Record<string, unknown>): [string, RequestInit] => {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  const query = entries.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]);
  return [`${path}?${new URLSearchParams(query)}`, { headers }];
};
const ways: Record<string, Way> = {
  'POST of its text': ({ query, variables, operationName }, headers) =>
    post('/graphql', headers, { query, variables, operationName }),
  'POST of its id': ({ id, variables, operationName }, headers) =>
    post('/graphql', headers, { documentId: id, variables, operationName }),
  'GET of its text': ({ query, variables, operationName }, headers) =>
    get('/graphql', headers, { query, variables, operationName }),
  'GET of its id': ({ id, variables, operationName }, headers) =>
    get(`/graphql/${id}`, headers, { variables, operationName }),
};

async function expectAsFresh(random: Random, number: number): Promise<void> {
  const { who, headers } = random.pick(askers);
  const question = random.pick(questions);
  const [way, toRequest] = random.pick(Object.entries(ways));
  const variables = Object.fromEntries(random.shuffled(Object.entries(question.variables)));
  const sent = { ...headers, 'x-request-id': `request-${String(number).padStart(8, '0')}` };
  const [path, init] = toRequest({ ...question, variables }, sent);
  const answers = [servers.cached, servers.fresh].map(async (origin) => {
    const response = await fetch(`${origin}${path}`, init);
    return { status: response.status, text: await response.text() };
  });
  const [kept, made] = await Promise.all(answers);
  expect(kept, `FUZZ_SEED=${seed}, number ${number}: ${who}, ${way}: ${question.query}`).toEqual(made);
}

const mutations = listOperations(schema).filter(
  ({ kind, label }) => kind === 'mutation' && !label.startsWith('delete'),
);

/** Whatever comes of it, by the server that keeps answers or past it. */
async function write(random: Random): Promise<void> {
  const { viewer, word, found } = random.pick(organizations);
  const includes = (coordinate: string) => !/:\)$|expectedUpdatedAt|idempotencyKey/.test(coordinate);
  const document = printOperation(schema, random.pick(mutations), { includes, value: valuesOf(schema, found, word) });
  await servers.app.query(document, {}, viewer);
}

test(
  'random questions are answered as if there were no cache, whoever asked them before',
  async () => {
    const random = createRandom(`cache ${seed}`);
    for (let number = 0; number < count; number++) {
      if (random.chance(writeShare)) await write(random);
      await expectAsFresh(random, number);
    }
    const hits = servers.outcomes.filter((outcome) => outcome === 'hit').length;
    console.info(`FUZZ_SEED=${seed}: ${count} questions, ${servers.outcomes.length} looked up, ${hits} hits`);
    expect(hits).toBeGreaterThan(count / 10);
  },
  Math.max(120_000, count * 100),
);
