import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../../db/database.ts';
import { changes, inserts } from '../../../db/footprint.ts';
import { keyPart } from '../../../db/keyset.ts';
import { createList } from '../../../db/list.ts';
import { createListByIds } from '../../../db/rows-by-id.ts';
import { arg, bare, columns, statement } from '../../../db/statement.ts';
import { type Document, documentPassages, documents, embeddingStates } from '../tables.ts';
import { type EmbeddedPassages, passageValues, withPassages } from './passage.ts';

const documentProperties = ['organizationId', 'id', 'title', 'content', 'uploadedById', 'createdAt'];
const documentColumns = columns(documents, documentProperties);

export const documentList = createList<Document>({
  name: 'documents',
  table: documents,
  properties: documentProperties,
  filters: {},
  orders: { CREATED_AT: [keyPart(documents, 'createdAt', 'timestamptz'), keyPart(documents, 'id', 'uuid')] },
});

export const listDocumentsByIds = createListByIds<Document>('listDocumentsByIds', documents, documentProperties);

const insertOneDocument = statement<Document>(
  'insertDocument',
  sql`${withPassages(sql`
      insert into ${documents} (${bare(documents.organizationId, documents.id, documents.title, documents.content)},
        ${bare(documents.uploadedById, documents.embeddedBy)})
      values (${arg('organizationId')}, ${arg('id')}, ${arg('title')}, ${arg('content')}, ${arg('uploadedById')}, ${arg('version')})
      returning *`)}
    select ${columns(documents, documentProperties)} from document as ${documents}`,
  { writes: [inserts(documents), changes(documentPassages), changes(embeddingStates)] },
);

/** A new document and its passages in one statement; null: they are embedded later. */
export async function insertDocument(
  database: Database,
  organizationId: string,
  document: { id: string; title: string; content: string; uploadedById: string },
  passages: EmbeddedPassages | null = null,
): Promise<Document> {
  const values = { organizationId, ...document, ...passageValues(passages) };
  const [row] = await insertOneDocument.run(database, values);
  return row!;
}

export interface DocumentMatch {
  document: Document;
  score: number;
  excerpt: string;
}

/** What a search found, before the rows are read. */
export interface FoundDocuments {
  /** The version that the passages are of; null: none was compared. */
  readonly version: string | null;
  /** Best first, each with its score and the position of its nearest passage; -1: none is near. */
  readonly ranked: readonly { readonly id: string; readonly score: number; readonly position: number }[];
}

const marks = 'StartSel=**, StopSel=**';
const keywordQuery = sql`websearch_to_tsquery('english', ${arg('query')}) as query`;
const keywordExcerpt = (content: SQL) =>
  sql`ts_headline('english', ${content}, query, '${sql.raw(marks)}, MaxFragments=2, MinWords=8, MaxWords=24, FragmentDelimiter=" … "')`;

const searchByKeyword = statement<Document & { score: number; excerpt: string }>(
  'searchDocumentsByKeyword',
  sql`select ranked.*, ${keywordExcerpt(sql`ranked.content`)} as excerpt
    from (
      select ${documentColumns}, query, ts_rank_cd(${documents.search}, query, 32)::float8 as score
      from ${documents}, ${keywordQuery}
      where ${documents.organizationId} = ${arg('organizationId')} and ${documents.search} @@ query
      order by score desc, ${documents.id} limit ${arg('limit')}
    ) as ranked
    order by ranked.score desc, ranked.id`,
);

/** The documents that hold the words of a query, best first; the score is 0 to 1, the excerpt marks the words by **. */
export async function searchDocumentsByKeyword(
  database: Database,
  organizationId: string,
  wanted: { query: string; limit: number },
): Promise<DocumentMatch[]> {
  const rows = await searchByKeyword.run(database, { organizationId, ...wanted });
  return rows.map(({ score, excerpt, ...document }) => ({ document, score, excerpt }));
}

const rankByKeyword = statement<{ id: string }>(
  'rankDocumentsByKeyword',
  sql`select ${documents.id} from ${documents}, ${keywordQuery}
    where ${documents.organizationId} = ${arg('organizationId')} and ${documents.search} @@ query
    order by ts_rank_cd(${documents.search}, query, 32) desc, ${documents.id} limit ${arg('limit')}`,
);

/** The ids of searchDocumentsByKeyword, in its order. */
export async function rankDocumentsByKeyword(
  database: Database,
  organizationId: string,
  wanted: { query: string; limit: number },
): Promise<string[]> {
  return (await rankByKeyword.run(database, { organizationId, ...wanted })).map(({ id }) => id);
}

// Some 240 characters about those of the words that stand closest together; a passage has no more than 90 words.
const passageExcerpt = sql`ts_headline('english', substr(${documents.content}, ${documentPassages.start} + 1, ${documentPassages.length}),
        (select string_agg(quote_literal(lexeme), ' | ')::tsquery from unnest(to_tsvector('english', ${arg('query')}))),
        '${sql.raw(marks)}, MinWords=30, MaxWords=40')`;

const describeFound = statement<Document & { excerpt: string }>(
  'describeFoundDocuments',
  sql`select ${documentColumns},
      case when ${arg('prefersKeyword')}::boolean and ${documents.search} @@ query then ${keywordExcerpt(sql`${documents.content}`)}
        else coalesce(${passageExcerpt}, substr(${documents.content}, coalesce(${documentPassages.start}, 0) + 1, 240)) end as excerpt
    from unnest(${arg('ids')}::uuid[], ${arg('positions')}::integer[]) as found(id, position)
    cross join ${keywordQuery}
    join ${documents} on ${documents.organizationId} = ${arg('organizationId')} and ${documents.id} = found.id
    left join ${documentPassages} on ${documentPassages.organizationId} = ${arg('organizationId')}
      and ${documentPassages.documentId} = found.id and ${documentPassages.version} = ${arg('version')}
      and ${documentPassages.position} = found.position`,
);

/**
 * Found documents with an excerpt, in no order; those that are not there any more are left out. The excerpt is of the
 * passage at the position, or of the whole where the document holds the words of the query and that is preferred.
 */
export function describeFoundDocuments(
  database: Database,
  organizationId: string,
  wanted: {
    query: string;
    version: string;
    prefersKeyword: boolean;
    ids: readonly string[];
    positions: readonly number[];
  },
): Promise<(Document & { excerpt: string })[]> {
  return describeFound.run(database, { organizationId, ...wanted });
}
