/** What is counted: one operation of each kind that clients ask for. */
import { type Ask, createFourQueries } from '../four-queries.ts';
import type { CountedRequest } from './counted-server.ts';

export interface CountedOperation {
  name: string;
  /** From the response cache; else that is off. */
  isCached: boolean;
  /** In a window; for those that make the next ones' data, or after which there is work at some later time. */
  mostRequests?: { work: number; allocations: number };
  request: CountedRequest;
  /** The same with other numbers of rows, which must take the same statements; none for what has no page. */
  sizes: ReadonlyMap<number, CountedRequest>;
}

/** Of the first page that the query asks for. */
const sizes = [1, 10, 100];
/** Before the deep one. */
const pages = 15;
/** There must be so many for the deep page. */
export const countedFeatures = 2_000;

const page = `{ features(first: 20) { nodes { id name status owner { name } testSummary { passed total } } } }`;

/** Made for the data that are there; those that write are last, as later ones would find other data. */
export async function createCountedOperations(ask: Ask): Promise<CountedOperation[]> {
  const four = await createFourQueries(ask, pages);
  const [features, conversations, feature, deepPage] = four.map(({ query, variables }) => [query, variables] as const);
  const { id } = feature![1] as { id: string };
  const rename =
    'mutation ($input: UpdateFeatureInput!) { updateFeature(input: $input) { feature { id name updatedAt } } }';
  const create = 'mutation ($input: CreateFeaturesInput!) { createFeatures(input: $input) { features { id name } } }';
  const many = Array.from({ length: 100 }, (_, index) => ({ name: `Feature ${index} of 100` }));
  const search =
    'query ($mode: SearchMode!) { searchDocuments(query: "card payment", mode: $mode) { score document { id title } } }';
  const sentiment =
    '{ conversations(first: 20) { nodes { id messages(first: 5) { nodes { id content sentiment { label score } } } } } }';
  return [
    operation('features page', ...features!),
    operation('conversations page', ...conversations!),
    operation('feature by id', ...feature!),
    operation('deep page', ...deepPage!),
    operation('viewer', '{ viewer { id name email } }'),
    operation('page with sentiment', sentiment),
    operation('search by words', search, { mode: 'KEYWORD' }),
    {
      ...operation('search by words and meaning', search, { mode: 'HYBRID' }),
      mostRequests: { work: 1, allocations: 100 },
    },
    { ...operation('cached page by GET', page), isCached: true, request: get(page), sizes: new Map() },
    { ...operation('cached page by POST', page), isCached: true, sizes: new Map() },
    operation('update of a feature', rename, { input: { id, name: 'The same name' } }),
    {
      ...operation('100 features made', create, { input: { features: many } }),
      mostRequests: { work: 6, allocations: 6 },
    },
  ];
}

function operation(name: string, query: string, variables: Record<string, unknown> = {}): CountedOperation {
  const first = /first: \d+/;
  const asked = first.test(query) ? sizes : [];
  return {
    name,
    isCached: false,
    request: post(query, variables),
    sizes: new Map(asked.map((rows) => [rows, post(query.replace(first, `first: ${rows}`), variables)])),
  };
}

function post(query: string, variables: Record<string, unknown>): CountedRequest {
  return { method: 'POST', path: '/graphql', body: JSON.stringify({ query, variables }) };
}

function get(query: string): CountedRequest {
  return { method: 'GET', path: `/graphql?${new URLSearchParams({ query })}` };
}
