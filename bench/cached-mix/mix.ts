/** What clients ask: 1,000 trusted documents with three sets of variables each, the popular ones more often, and writes. */
import { createRandom, type Random } from '../../src/seed/random.ts';
import type { RequestClass } from '../load/run-report.ts';
import type { Tenant } from './tenants.ts';

const documentCount = 1_000;
const variablesPerDocument = 3;
const writeShare = 0.01;
/** Of reads: the rest are GETs. */
const postShare = 0.1;

/** A request without what each connection adds to it. */
export interface MixRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Empty for GET. */
  readonly body: string;
  readonly token: string;
  readonly kind: RequestClass;
  /** Whether data are right. Default: as long as there are no errors. */
  readonly check?: (data: unknown) => boolean;
}

type Kind = 'viewer' | 'feature' | 'features' | 'conversation' | 'conversations' | 'site' | 'sites';

// Of each twenty documents, from the most to the least popular.
const kinds = (
  'viewer feature conversation site features feature feature conversation feature sites ' +
  'feature conversations feature conversation site feature feature conversation feature feature'
).split(' ') as Kind[];

/** Two days that lie behind, and end with an hour. */
const range = 'range: { from: $from, to: $to }';
const heads: Record<Kind, [variables: string, field: string]> = {
  viewer: ['', 'viewer'],
  feature: ['($id: ID!)', 'feature(id: $id)'],
  features: ['($first: Int)', 'features(first: $first)'],
  conversation: ['($id: ID!)', 'conversation(id: $id)'],
  conversations: ['($first: Int)', 'conversations(first: $first)'],
  site: ['($id: ID!, $from: DateTime!, $to: DateTime!)', 'site(id: $id)'],
  sites: ['($first: Int)', 'sites(first: $first)'],
};
const featureParts = [
  'status',
  'owner { id name }',
  'testSummary { passed failed pending total }',
  'complexityPoints',
  'updatedAt',
];
/** What a document may select beside the id: a document has those whose bit is set in its number, and the first. */
const parts: Record<Kind, readonly string[]> = {
  viewer: ['name', 'email', 'isActive', 'createdAt'],
  feature: [
    'name',
    ...featureParts,
    'description',
    'testCases(first: 5) { nodes { id name status } }',
    'deployments(first: 3) { nodes { id version environment status finishedAt } }',
  ],
  features: [
    'nodes { id name }',
    ...featureParts.map((part) => `nodes { ${part} }`),
    'pageInfo { endCursor hasNextPage }',
  ],
  conversation: [
    'title',
    'messages(last: 10) { nodes { id role content createdAt author { name } } }',
    'user { name }',
    'lastMessageAt',
    'sentiment { mean total }',
  ],
  conversations: [
    'nodes { id title }',
    'nodes { lastMessageAt }',
    'nodes { user { id name } }',
    'pageInfo { endCursor hasNextPage }',
  ],
  site: [`name readings(first: 48, ${range}) { nodes { at loadMw } }`, 'timeZone'],
  sites: ['nodes { id name timeZone }', 'totalCount', 'pageInfo { endCursor }'],
};

const writes = {
  'record-results':
    'mutation RecordResults($input: RecordTestResultsInput!) { recordTestResults(input: $input) { testCases { id status } } }',
  'update-feature':
    'mutation UpdateFeature($input: UpdateFeatureInput!) { updateFeature(input: $input) { feature { id name updatedAt } } }',
  'send-message':
    'mutation SendMessage($input: SendMessageInput!) { sendMessage(input: $input) { message { id createdAt } } }',
  ingest: 'mutation Ingest($input: IngestReadingsInput!) { ingestReadings(input: $input) { inserted replaced } }',
} as const;
type Write = keyof typeof writes;
/** Agents report their tests all the time; what is planned changes more seldom. */
const writeWeights: Record<Write, number> = { 'record-results': 5, 'send-message': 2, ingest: 2, 'update-feature': 1 };

/** The manifest of trusted documents, as `npm run persist` writes plain ones: id and text. */
export function mixManifest(): Record<string, string> {
  const reads = Array.from({ length: documentCount }, (_, number) => [idOf(number), documentOf(number)]);
  return Object.fromEntries([...reads, ...Object.entries(writes)]);
}

/**
 * Requests without an end, the same ones for the same seed. All viewers ask as often; a document with its variables that
 * has the rank r is asked for r^-zipfExponent as often as the first.
 */
export function createMix(tenants: readonly Tenant[], zipfExponent: number, seed: string): () => MixRequest {
  const random = createRandom(seed);
  const rank = createZipf(random, documentCount * variablesPerDocument, zipfExponent);
  return () => {
    const tenant = random.pick(tenants);
    const token = random.pick(tenant.tokens);
    if (random.chance(writeShare)) return writeOf(random, tenant, token);
    const place = rank();
    const number = place % documentCount;
    const variables = variablesOf(number, Math.floor(place / documentCount), tenant);
    const check = checkOf(number, variables);
    if (random.chance(postShare)) return { ...post({ documentId: idOf(number), variables }, token, 'critical'), check };
    const path = `/graphql/${idOf(number)}?variables=${encodeURIComponent(JSON.stringify(variables))}`;
    return { method: 'GET', path, body: '', token, kind: 'critical', check };
  };
}

function post(given: object, token: string, kind: RequestClass): MixRequest {
  return { method: 'POST', path: '/graphql', body: JSON.stringify(given), token, kind };
}

function idOf(number: number): string {
  return `screen-${number}`;
}

function kindOf(number: number): Kind {
  return kinds[number % kinds.length]!;
}

function documentOf(number: number): string {
  const kind = kindOf(number);
  const [variables, field] = heads[kind];
  const [first, ...others] = parts[kind];
  // All of them for the first twenty, which are asked for most.
  const chosen = others.filter((_, bit) => number < kinds.length || (number * 37) & (1 << bit));
  const id = /s$/.test(kind) ? '' : 'id ';
  return `query Screen${number}${variables} { ${field} { ${id}${[first, ...chosen].join(' ')} } }`;
}

interface Variables {
  readonly id?: string;
  readonly first?: number;
}

function variablesOf(number: number, choice: number, { features, conversations, sites }: Tenant): Variables {
  const object = number * 7 + choice * 131;
  const ofList = (ids: readonly string[]) => ids[object % ids.length]!;
  switch (kindOf(number)) {
    case 'viewer':
      return {};
    case 'feature':
      return { id: ofList(features) };
    case 'conversation':
      return { id: ofList(conversations) };
    case 'site':
      return { id: ofList(sites), ...days };
    default:
      return { first: [20, 50, 10][choice]! };
  }
}

/** Whether it is the object that was asked for, or a page as long as it may be: a cache could give another's. */
function checkOf(number: number, { id, first = 0 }: Variables): (data: unknown) => boolean {
  const [, field] = heads[kindOf(number)];
  const name = field.split('(')[0]!;
  return (data) => {
    const found = (data as Record<string, { id?: string; nodes?: unknown[] } | null>)[name];
    return id === undefined ? (found?.nodes?.length ?? 0) <= first : found?.id === id;
  };
}

const hourMs = 3_600_000;
const lastHourMs = Math.floor(Date.now() / hourMs) * hourMs;
const timeAt = (hour: number) => new Date(lastHourMs + hour * hourMs).toISOString();
const days = { from: timeAt(-48), to: timeAt(0) };

function writeOf(random: Random, tenant: Tenant, token: string): MixRequest {
  const documentId = random.weighted(writeWeights);
  const inputs: Record<Write, () => object> = {
    'record-results': () => ({
      results: [{ testCaseId: random.pick(tenant.testCases), status: random.pick(['PASSED', 'FAILED']) }],
    }),
    'update-feature': () => ({ id: random.pick(tenant.features), complexityPoints: random.integer(1, 13) }),
    'send-message': () => ({ conversationId: random.pick(tenant.conversations), content: 'And what about now?' }),
    ingest: () => ({
      siteId: random.pick(tenant.sites),
      readings: [{ at: timeAt(-random.integer(1, 48)), loadMw: random.integer(80, 120) }],
    }),
  };
  return post({ documentId, variables: { input: inputs[documentId]() } }, token, 'standard');
}

/** Ranks from 0 on. */
function createZipf(random: Random, count: number, exponent: number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent;
    sums[rank] = sum;
  }
  return () => {
    const wanted = random.next() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
