import { scopes } from '../context.ts';
import type { ListCase, Question, World } from './list-cases.ts';
import { identityOf, parentId } from './list-oracle.ts';
import type { TestApp } from './test-app.ts';

/** The paging arguments of a page; null stands for an argument that is left out. */
export interface PageWish {
  first: number | null;
  last: number | null;
  after: string | null;
  before: string | null;
}

export interface PageAnswer {
  identities: string[];
  cursors: string[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

/** Where a page is asked for: below a parent, or at the root. */
export interface PageAt {
  parent: string | null;
  page: PageWish;
}

/** Asks for several pages in one operation; answers come in the same order. */
export async function fetchPages(
  app: TestApp,
  list: ListCase,
  world: World,
  question: Question,
  pages: readonly PageAt[],
): Promise<PageAnswer[]> {
  const fields = pages.map(({ parent, page }, index) => {
    const connection = connectionField(list, page);
    return parent === null
      ? `p${index}: ${connection}`
      : `p${index}: ${list.parent!.field}(id: "${parentId(list, parent)}") { ${connection} }`;
  });
  const document = `query ${list.variables ? `(${list.variables})` : ''} { ${fields.join(' ')} }`;
  const viewer = { organizationId: world.organizationId, userId: world.users[0]!, scopes };
  const answer = await app.query(document, question.variables, viewer);
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return pages.map(({ parent }, index) => {
    const field = answer.data[`p${index}`];
    return toPage(list, parent === null ? field : field[list.field]);
  });
}

function connectionField(list: ListCase, page: PageWish): string {
  const paging = Object.entries(page)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const given = [list.arguments, ...paging].filter((text) => text !== '').join(', ');
  const node = list.identity.field;
  return `${list.field}${given && `(${given})`} {
    totalCount edges { cursor node { ${node} } } nodes { ${node} }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }`;
}

interface ConnectionAnswer {
  edges: { cursor: string; node: Record<string, unknown> }[];
  nodes: Record<string, unknown>[];
  totalCount: number;
  pageInfo: PageAnswer['pageInfo'];
}

function toPage(list: ListCase, { edges, nodes, totalCount, pageInfo }: ConnectionAnswer): PageAnswer {
  const identities = edges.map(({ node }) => identityOf(list, node));
  if (String(nodes.map((node) => identityOf(list, node))) !== String(identities))
    throw new Error('nodes differ from edges');
  return { identities, cursors: edges.map(({ cursor }) => cursor), totalCount, pageInfo };
}
