import { crc32 } from 'node:zlib';
import { firstIdAt } from '../db/id.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import {
  earliestTime,
  latestTime,
  millisecondTimes,
  names,
  pick,
  pickOrNull,
  type RandomRow,
  texts,
  times,
  type Wish,
} from './random-rows.ts';

/** The rows a run has to do with: an organization of its own. */
export interface World {
  organizationId: string;
  users: string[];
  /** Of a nested list; empty at the root. */
  parents: string[];
}

/** A wish, once as variables of the operation and once as SQL written by hand. */
export interface Question {
  variables: Record<string, unknown>;
  where: string[];
  /** Without the direction, which is that of all of them. */
  orderColumns: string[];
  isDescending: boolean;
}

/** A list of the schema, described without any of the server's list code. */
export interface ListCase {
  table: string;
  field: string;
  /** The variables of filter and order, and how they are passed. */
  variables: string;
  arguments: string;
  parent?: { field: string; type: string; table: string; column: string };
  /** What tells a row from all others, in an answer and in SQL. */
  identity: { field: string; sql: string };
  /** A row by its column names. */
  toRow(row: RandomRow, world: World): Record<string, unknown>;
  ask(wish: Wish, world: World): Question;
}

const statuses = ['PLANNED', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELLED'];
const testStatuses = ['PENDING', 'PASSED', 'FAILED', 'SKIPPED'];
const environments = ['DEVELOPMENT', 'STAGING', 'PRODUCTION'];
const models = ['sentiment', 'energy-forecast'];
const versions = ['1', '2', '10'];
const featureOrders = [
  ['CREATED_AT', 'created_at'],
  ['UPDATED_AT', 'updated_at'],
  ['COMPLEXITY_POINTS', 'complexity_points'],
  ['NAME', 'name'],
] as const;

export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A row's id with its time in front, as a UUIDv7 has it. */
function idWithTime(row: RandomRow): string {
  return firstIdAt(Date.parse(pick(millisecondTimes, row.time))).slice(0, 14) + row.id.slice(14);
}

const identityOf = (type: string) => ({ field: 'id', sql: `'${type}:' || id` });
const userIdOf = (user: string | null) => user && encodeGlobalId('User', user);
const orderOf = (field: string, wish: Wish) => ({ field, direction: wish.isDescending ? 'DESC' : 'ASC' });
const isOneOf = (column: string, values: string[] | null) => values && `${column} in (${values.map(quote).join(', ')})`;
const is = (column: string, value: string | null) => value && `${column} = ${quote(value)}`;
const isWithin = (column: string, range: Wish['range']) =>
  range && `${column} >= ${quote(range.from)} and ${column} < ${quote(range.to)}`;
const all = (...conditions: (string | null)[]) => conditions.filter((condition) => condition !== null);

const features: ListCase = {
  table: 'features',
  field: 'features',
  variables: '$filter: FeatureFilter, $orderBy: FeatureOrder',
  arguments: 'filter: $filter, orderBy: $orderBy',
  identity: identityOf('Feature'),
  toRow: (row, { users }) => ({
    id: row.id,
    name: pick(names, row.name),
    description: '',
    status: pick(statuses, row.kind),
    complexity_points: row.points,
    owner_id: pick(users, row.user),
    created_at: pick(times, row.time),
    updated_at: pick(times, row.otherTime ?? 3),
  }),
  ask: (wish, { users }) => {
    const status = pickOrNull(statuses, wish.kind);
    const statusIn = wish.kinds?.map((kind) => pick(statuses, kind)) ?? null;
    const owner = pickOrNull(users, wish.user);
    const text = pickOrNull(texts, wish.text);
    const [field, column] = pick(featureOrders, wish.order);
    const filter = { status, statusIn, ownerId: userIdOf(owner), nameContains: text, createdAt: wish.range };
    return {
      variables: { filter, orderBy: orderOf(field, wish) },
      where: all(
        is('status', status),
        isOneOf('status', statusIn),
        is('owner_id', owner),
        text && `strpos(lower(name), lower(${quote(text)})) > 0`,
        isWithin('created_at', wish.range),
      ),
      orderColumns: [column, 'id'],
      isDescending: wish.isDescending,
    };
  },
};

const publicFeatures: ListCase = {
  table: 'features',
  field: 'publicFeatures',
  variables: '$organizationId: ID!, $status: FeatureStatus',
  arguments: 'organizationId: $organizationId, status: $status',
  identity: identityOf('PublicFeature'),
  toRow: (row, world) => ({ ...features.toRow(row, world), is_public: row.name % 3 !== 0 }),
  ask: (wish, { organizationId }) => {
    const status = pickOrNull(statuses, wish.kind);
    return {
      variables: { organizationId: encodeGlobalId('Organization', organizationId), status },
      where: all('is_public', is('status', status)),
      orderColumns: ['updated_at', 'id'],
      isDescending: true,
    };
  },
};

const conversations: ListCase = {
  table: 'conversations',
  field: 'conversations',
  variables: '$filter: ConversationFilter, $orderBy: ConversationOrder',
  arguments: 'filter: $filter, orderBy: $orderBy',
  identity: identityOf('Conversation'),
  toRow: (row, { users }) => ({
    id: row.id,
    title: 'Help',
    user_id: pick(users, row.user),
    created_at: pick(times, row.time),
    last_message_at: pickOrNull(times, row.otherTime),
  }),
  ask: (wish, { users }) => {
    const user = pickOrNull(users, wish.user);
    const isByCreation = wish.order % 2 === 0;
    return {
      variables: {
        filter: { userId: userIdOf(user), createdAt: wish.range },
        orderBy: orderOf(isByCreation ? 'CREATED_AT' : 'LAST_MESSAGE_AT', wish),
      },
      where: all(is('user_id', user), isWithin('created_at', wish.range)),
      // Without a last message: earliest, as false sorts before true.
      orderColumns: isByCreation ? ['created_at', 'id'] : ['last_message_at is not null', 'last_message_at', 'id'],
      isDescending: wish.isDescending,
    };
  },
};

const documents: ListCase = {
  table: 'documents',
  field: 'documents',
  variables: '',
  arguments: '',
  identity: identityOf('Document'),
  toRow: (row, { users }) => ({
    id: row.id,
    title: 'Manual',
    content: 'Text',
    uploaded_by_id: pick(users, row.user),
    created_at: pick(times, row.time),
  }),
  ask: () => ({ variables: {}, where: [], orderColumns: ['created_at', 'id'], isDescending: true }),
};

const sites: ListCase = {
  table: 'sites',
  field: 'sites',
  variables: '',
  arguments: '',
  identity: identityOf('Site'),
  toRow: (row) => ({ id: row.id, name: pick(names, row.name), time_zone: 'UTC' }),
  ask: () => ({ variables: {}, where: [], orderColumns: ['name', 'id'], isDescending: false }),
};

const predictions: ListCase = {
  table: 'predictions',
  field: 'predictions',
  variables: '$filter: PredictionFilter',
  arguments: 'filter: $filter',
  identity: identityOf('Prediction'),
  toRow: (row) => ({
    id: idWithTime(row),
    model: pick(models, row.kind),
    version: pick(versions, row.points),
    precision: 'FP32',
    created_at: pick(millisecondTimes, row.time),
    latency_ms: 1,
    batch_size: 1,
  }),
  ask: (wish) => {
    const model = pickOrNull(models, wish.kind);
    const version = model && pickOrNull(versions, wish.user);
    return {
      variables: { filter: { model, version, createdAt: wish.range } },
      where: all(is('model', model), is('version', version), isWithin('created_at', wish.range)),
      orderColumns: ['created_at', 'id'],
      isDescending: true,
    };
  },
};

const testCases: ListCase = {
  table: 'test_cases',
  field: 'testCases',
  variables: '$status: TestStatus',
  arguments: 'status: $status',
  parent: { field: 'feature', type: 'Feature', table: 'features', column: 'feature_id' },
  identity: identityOf('TestCase'),
  toRow: (row, { parents }) => ({
    id: row.id,
    feature_id: pick(parents, row.parent),
    name: pick(names, row.name),
    status: pick(testStatuses, row.kind),
    created_at: pick(times, row.time),
  }),
  ask: (wish) => {
    const status = pickOrNull(testStatuses, wish.kind);
    const where = all(is('status', status));
    return { variables: { status }, where, orderColumns: ['created_at', 'id'], isDescending: false };
  },
};

const deployments: ListCase = {
  table: 'deployments',
  field: 'deployments',
  variables: '$environment: Environment',
  arguments: 'environment: $environment',
  parent: { field: 'feature', type: 'Feature', table: 'features', column: 'feature_id' },
  identity: identityOf('Deployment'),
  toRow: (row, { parents }) => ({
    id: row.id,
    feature_id: pick(parents, row.parent),
    version: '1.0.0',
    environment: pick(environments, row.kind),
    status: 'SUCCEEDED',
    created_at: pick(times, row.time),
  }),
  ask: (wish) => {
    const environment = pickOrNull(environments, wish.kind);
    const where = all(is('environment', environment));
    return { variables: { environment }, where, orderColumns: ['created_at', 'id'], isDescending: true };
  },
};

const messages: ListCase = {
  table: 'messages',
  field: 'messages',
  variables: '',
  arguments: '',
  parent: { field: 'conversation', type: 'Conversation', table: 'conversations', column: 'conversation_id' },
  identity: identityOf('Message'),
  toRow: (row, { parents }) => ({
    id: idWithTime(row),
    conversation_id: pick(parents, row.parent),
    role: 'ASSISTANT',
    content: 'Hello',
    created_at: pick(millisecondTimes, row.time),
  }),
  ask: () => ({ variables: {}, where: [], orderColumns: ['created_at', 'id'], isDescending: false }),
};

/** Readings have no id: the load tells them apart. */
const readings: ListCase = {
  table: 'readings',
  field: 'readings',
  variables: '$range: TimeRange!',
  arguments: 'range: $range',
  parent: { field: 'site', type: 'Site', table: 'sites', column: 'site_id' },
  identity: { field: 'loadMw', sql: 'load_mw::text' },
  toRow: (row, { parents }) => ({
    site_id: pick(parents, row.parent),
    at: pick([...times, ...millisecondTimes], row.time + row.points * 4),
    load_mw: crc32(row.id),
  }),
  ask: (wish) => {
    const range = wish.range ?? { from: earliestTime, to: latestTime };
    return { variables: { range }, where: all(isWithin('at', range)), orderColumns: ['at'], isDescending: false };
  },
};

/** Every connection of the schema; a test holds it to be every one. */
export const listCases: readonly ListCase[] = [
  features,
  publicFeatures,
  conversations,
  documents,
  sites,
  predictions,
  testCases,
  deployments,
  messages,
  readings,
];
