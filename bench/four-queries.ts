export type QueryKey = 'features' | 'conversations' | 'feature' | 'deep-page';

/** The queries by which servers of this kind are compared. */
export interface BenchQuery {
  key: QueryKey;
  name: string;
  query: string;
  variables: Record<string, unknown>;
}

export type Ask = (query: string, variables: Record<string, unknown>) => Promise<Record<string, unknown>>;

const deepPage = 50;
const pageQuery = `query ($after: String) {
  features(first: 100, after: $after) { nodes { id name status complexityPoints createdAt } pageInfo { endCursor } }
}`;

interface FeaturePage {
  nodes: { id: string }[];
  pageInfo: { endCursor: string };
}

/**
 * Made for the data that are there: the third takes the first feature of the page before the deep one, the fourth that
 * page's cursor.
 * @param pages before the deep one, each of 100 features: there must be one more
 */
export async function createFourQueries(ask: Ask, pages = deepPage): Promise<BenchQuery[]> {
  let after: string | null = null;
  let id = '';
  for (let page = 0; page < pages; page += 1) {
    const { nodes, pageInfo } = (await ask(pageQuery, { after })).features as FeaturePage;
    id = nodes[0]!.id;
    after = pageInfo.endCursor;
  }
  return [
    {
      key: 'features',
      name: '20 features, owner, 5 tests, 3 deployments',
      query: `{ features(first: 20) { nodes { id name status createdAt owner { id name }
        testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } } }`,
      variables: {},
    },
    {
      key: 'conversations',
      name: '20 conversations, user, 10 messages with author',
      query: `{ conversations(first: 20) { nodes { id title createdAt user { id name }
        messages(first: 10) { nodes { id role content createdAt author { id name } } } } } }`,
      variables: {},
    },
    {
      key: 'feature',
      name: 'one feature by id, owner',
      query: 'query ($id: ID!) { feature(id: $id) { id name description status createdAt owner { id name email } } }',
      variables: { id },
    },
    { key: 'deep-page', name: '100 features at a deep cursor', query: pageQuery, variables: { after } },
  ];
}
