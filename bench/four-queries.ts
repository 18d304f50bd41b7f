/** The queries by which servers of this kind are compared. */
export interface BenchQuery {
  name: string;
  query: string;
  variables: Record<string, unknown>;
}

export type Ask = (query: string, variables: Record<string, unknown>) => Promise<Record<string, unknown>>;

const deepPages = 50;
const pageQuery = `query ($after: String) {
  features(first: 100, after: $after) { nodes { id name status complexityPoints createdAt } pageInfo { endCursor } }
}`;

interface FeaturePage {
  nodes: { id: string }[];
  pageInfo: { endCursor: string };
}

/** Made for the data that are there: the third takes a feature of the first page, the fourth the cursor of page 50. */
export async function createFourQueries(ask: Ask): Promise<BenchQuery[]> {
  let after: string | null = null;
  let id = '';
  for (let page = 0; page < deepPages; page += 1) {
    const { nodes, pageInfo } = (await ask(pageQuery, { after })).features as FeaturePage;
    id = nodes[0]!.id;
    after = pageInfo.endCursor;
  }
  return [
    {
      name: '20 features, owner, 5 tests, 3 deployments',
      query: `{ features(first: 20) { nodes { id name status createdAt owner { id name }
        testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } } }`,
      variables: {},
    },
    {
      name: '20 conversations, user, 10 messages with author',
      query: `{ conversations(first: 20) { nodes { id title createdAt user { id name }
        messages(first: 10) { nodes { id role content createdAt author { id name } } } } } }`,
      variables: {},
    },
    {
      name: 'one feature by id, owner',
      query: 'query ($id: ID!) { feature(id: $id) { id name description status createdAt owner { id name email } } }',
      variables: { id },
    },
    { name: '100 features at a deep cursor', query: pageQuery, variables: { after } },
  ];
}
