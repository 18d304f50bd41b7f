import { createFourQueries, type QueryKey } from '../four-queries.ts';
import type { OwnServer } from './own-server.ts';
import type { Facts } from './scenario.ts';

const pageSize = 100;
const deepestPage = 50;

/** How many pages of 100 lie before the deep one of so many features. */
export function pagesBeforeDeepOne(features: number): number {
  return Math.min(deepestPage, Math.floor(features / pageSize) - 1);
}

/**
 * Asks our server for what operations are made of.
 * @param features that it has: at least 300
 */
export async function gatherFacts({ ask }: OwnServer, features: number): Promise<Facts> {
  const pages = Math.floor(features / pageSize);
  const list = await createFourQueries(ask, pagesBeforeDeepOne(features));
  const queries = Object.fromEntries(list.map((query) => [query.key, query])) as Facts['queries'];
  const { viewer, sites } = (await ask('{ viewer { id } sites(first: 1) { nodes { id } } }', {})) as {
    viewer: { id: string };
    sites: { nodes: { id: string }[] };
  };
  const deepPage = queries['deep-page' satisfies QueryKey];
  const lastPage = { ...deepPage, variables: { after: await walkTo(ask, deepPage, pages - 1) } };
  return { queries, lastPage, siteId: sites.nodes[0]!.id, userId: viewer.id };
}

/** The cursor behind so many pages. */
async function walkTo(ask: OwnServer['ask'], { query }: { query: string }, pages: number): Promise<string | null> {
  let after: string | null = null;
  for (let page = 0; page < pages; page += 1) {
    const { features } = (await ask(query, { after })) as { features: { pageInfo: { endCursor: string } } };
    after = features.pageInfo.endCursor;
  }
  return after;
}
