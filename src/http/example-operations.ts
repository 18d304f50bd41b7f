import { encodeGlobalId } from '../schema/global-id.ts';

/** What GraphiQL opens with, one tab each; their names are also the operations that metrics know. */
export interface ExampleOperation {
  name: string;
  query: string;
}

const features = `# The features in progress, each with its owner, tests and deployments.
# However many features: one SQL statement per field, never one per feature.
query FeaturesInProgress {
  features(filter: { status: IN_PROGRESS }, first: 10) {
    totalCount
    nodes {
      name
      complexityPoints
      owner { name }
      testSummary { passed failed total }
      testCases(first: 5) { nodes { name status } }
      deployments(first: 3) { nodes { version environment status } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const conversations = `# Recent conversations with the sentiment of each message:
# all messages of the request go through the model as one batch.
query RecentConversations {
  conversations(orderBy: { field: LAST_MESSAGE_AT, direction: DESC }, first: 5) {
    nodes {
      title
      user { name }
      sentiment { mean negative neutral positive }
      messages(first: 6) {
        nodes { role content author { name } sentiment { label score } }
      }
    }
  }
}`;

const forecast = `# The next 24 hours of each site, with the band that holds 80 % of what comes.
query DayAhead {
  sites(first: 3) {
    nodes {
      name
      timeZone
      forecast(horizon: 24) {
        issuedAt
        modelVersion { model { name } version precision executionProvider }
        points { at p10 p50 p90 }
      }
    }
  }
}`;

const search = `# Documents by their words and by what they say, best first, with the place where they match.
query SearchDocuments {
  searchDocuments(query: "refund invoice", first: 5) {
    score
    excerpt
    document { title uploadedBy { name } }
  }
}`;

const analytics = `# The last weeks in figures: what was built, what was said, and how it sounded.
query LastWeeks {
  analytics(range: { from: "FROM", to: "TO" }) {
    featureThroughput(interval: WEEK) { at created completed complexityPoints }
    deployments(interval: WEEK) { at succeeded failed successRate medianSeconds }
    conversationVolume(interval: WEEK) { at conversations messages activeUsers }
    sentimentTrend(interval: WEEK) { at mean negative neutral positive }
  }
}`;

/** That of the demo data, the same in every database. */
const demoOrganizationId = encodeGlobalId('Organization', '018cd6ce-1800-7000-8000-000000000001');

const roadmap = `# What an organization shows to everybody: no token is needed, and all who ask share one answer.
query PublicRoadmap {
  publicFeatures(organizationId: "${demoOrganizationId}", first: 10) {
    totalCount
    nodes { id name description status updatedAt testSummary { passed total } }
  }
}`;

const create = `# Writes answer after their commit; a wrong input names its path.
mutation CreateFeature {
  createFeature(input: { name: "Answer in one round trip", complexityPoints: 5 }) {
    feature { id name status owner { name } createdAt }
  }
}`;

const examples: readonly ExampleOperation[] = [
  { name: 'FeaturesInProgress', query: features },
  { name: 'RecentConversations', query: conversations },
  { name: 'DayAhead', query: forecast },
  { name: 'SearchDocuments', query: search },
  { name: 'LastWeeks', query: analytics },
  { name: 'PublicRoadmap', query: roadmap },
  { name: 'CreateFeature', query: create },
];

export const exampleOperationNames: readonly string[] = examples.map(({ name }) => name);

/** The examples; ranges of time end at `now`. */
export function exampleOperations(now: Date): readonly ExampleOperation[] {
  const day = (offset: number) =>
    `${new Date(now.getTime() + offset * 86_400_000).toISOString().slice(0, 10)}T00:00:00Z`;
  return examples.map(({ name, query }) => ({ name, query: query.replace('FROM', day(-55)).replace('TO', day(1)) }));
}
