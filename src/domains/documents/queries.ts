import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { keyPart } from '../../db/keyset.ts';
import { createList } from '../../db/list.ts';
import { createListByIds } from '../../db/rows-by-id.ts';
import { arg, bare, columns, statement } from '../../db/statement.ts';
import {
  type Document,
  documentPassages,
  documents,
  type EmbeddingState,
  embeddingStates,
  passageRevisions,
} from './tables.ts';

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

/** The passages of a document with their vectors, in order. */
export interface EmbeddedPassages {
  /** As embeddingKey names it. */
  version: string;
  /** In characters of the content. */
  places: readonly { start: number; length: number }[];
  vectors: readonly Float32Array[];
}

/** Passages of the rows of `document` (organization_id, id), and their count in the organization's state. */
const withPassages = (document: SQL) => sql`with document as (${document}),
    state as (
      insert into ${embeddingStates} as known (${bare(embeddingStates.organizationId, embeddingStates.version, embeddingStates.documents)},
        ${bare(embeddingStates.passages, embeddingStates.revision, embeddingStates.deletedRevision)})
      select document.organization_id, ${arg('version')}::text, 1, cardinality(${arg('starts')}::integer[]), next.revision, next.revision
      from document, (select nextval('${sql.raw(passageRevisions.seqName!)}') as revision) as next
      where ${arg('version')}::text is not null
      on conflict (organization_id, version) do update
      set documents = known.documents + 1, passages = known.passages + excluded.passages,
        revision = nextval('${sql.raw(passageRevisions.seqName!)}')
      returning revision
    ),
    passages as (
      insert into ${documentPassages} (${bare(documentPassages.organizationId, documentPassages.documentId, documentPassages.version)},
        ${bare(documentPassages.position, documentPassages.start, documentPassages.length, documentPassages.revision, documentPassages.vector)})
      select document.organization_id, document.id, ${arg('version')}::text, input.position - 1, input.start, input.length,
        state.revision, input.vector::real[]
      from document, state, unnest(${arg('starts')}::integer[], ${arg('lengths')}::integer[], ${arg('vectors')}::text[])
        with ordinality as input(start, length, vector, position)
    )`;

function passageValues(embedded: EmbeddedPassages | null) {
  return {
    version: embedded?.version ?? null,
    starts: embedded?.places.map(({ start }) => start) ?? [],
    lengths: embedded?.places.map(({ length }) => length) ?? [],
    vectors: embedded?.vectors.map((vector) => `{${vector.join()}}`) ?? [],
  };
}

const insertOneDocument = statement<Document>(
  'insertDocument',
  sql`${withPassages(sql`
      insert into ${documents} (${bare(documents.organizationId, documents.id, documents.title, documents.content)},
        ${bare(documents.uploadedById, documents.embeddedBy)})
      values (${arg('organizationId')}, ${arg('id')}, ${arg('title')}, ${arg('content')}, ${arg('uploadedById')}, ${arg('version')})
      returning *`)}
    select ${columns(documents, documentProperties)} from document as ${documents}`,
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

export interface UnembeddedDocument {
  organizationId: string;
  id: string;
  title: string;
  content: string;
  /** Its passages of this version are there: another version was the last one in between. */
  hasPassages: boolean;
}

const unembeddedColumns = sql`${columns(documents, ['organizationId', 'id', 'title', 'content'])}, exists (
    select from ${documentPassages} where ${documentPassages.organizationId} = ${documents.organizationId}
      and ${documentPassages.documentId} = ${documents.id} and ${documentPassages.version} = ${arg('version')}
  ) as "hasPassages"`;
// Three probes of one index, where "is distinct from" would read all of it. A lock of the key would keep passages from
// being written by their foreign key.
const claimed = (condition: SQL, name: string) => sql`select * from (
    select ${unembeddedColumns} from ${documents}
    where ${documents.embeddedBy} ${condition} and ${documents.id} <> all(${arg('except')}::uuid[])
    limit ${arg('limit')}::integer for no key update of ${documents} skip locked) as ${sql.identifier(name)}`;

const claimUnembedded = statement<UnembeddedDocument>(
  'claimUnembeddedDocuments',
  sql`${claimed(sql`is null`, 'missing')} union all ${claimed(sql`< ${arg('version')}`, 'before')}
    union all ${claimed(sql`> ${arg('version')}`, 'behind')} limit ${arg('limit')}::integer`,
);

/**
 * Documents of any organization that this version has not embedded, kept from other claims until the transaction ends;
 * those that others hold and those of the ids given are left out.
 */
export function claimUnembeddedDocuments(
  transaction: Database,
  wanted: { version: string; limit: number; except: readonly string[] },
): Promise<UnembeddedDocument[]> {
  return claimUnembedded.run(transaction, wanted);
}

const markOneEmbedded = sql`update ${documents} set embedded_by = ${arg('version')}
    where ${documents.organizationId} = ${arg('organizationId')} and ${documents.id} = ${arg('id')}
    returning ${documents.organizationId}, ${documents.id}`;
const markEmbedded = statement<never>('markDocumentEmbedded', markOneEmbedded);
const insertPassages = statement<{ id: string }>(
  'insertDocumentPassages',
  sql`${withPassages(markOneEmbedded)} select document.id from document`,
);

/** Gives a claimed document its passages of a version; null: they are there already. */
export async function storePassages(
  transaction: Database,
  { organizationId, id }: UnembeddedDocument,
  version: string,
  passages: EmbeddedPassages | null,
): Promise<void> {
  if (passages === null) await markEmbedded.run(transaction, { organizationId, id, version });
  else await insertPassages.run(transaction, { organizationId, id, ...passageValues(passages) });
}

const deleteOldPassages = statement<never>(
  'deletePassagesOfOtherVersions',
  sql`delete from ${documentPassages}
    where ${documentPassages.organizationId} = ${arg('organizationId')} and ${documentPassages.version} <> ${arg('version')}
      and not exists (select from ${documents} where ${documents.embeddedBy} is null and ${documents.organizationId} = ${arg('organizationId')})
      and not exists (select from ${documents} where ${documents.embeddedBy} < ${arg('version')} and ${documents.organizationId} = ${arg('organizationId')})
      and not exists (select from ${documents} where ${documents.embeddedBy} > ${arg('version')} and ${documents.organizationId} = ${arg('organizationId')})`,
);

/** Deletes what other versions embedded for an organization once this one has embedded all of its documents; else nothing. */
export async function deletePassagesOfOtherVersions(
  database: Database,
  organizationId: string,
  version: string,
): Promise<void> {
  await deleteOldPassages.run(database, { organizationId, version });
}

const organizationsOfOthers = statement<{ organizationId: string }>(
  'listOrganizationsOfOtherVersions',
  sql`select distinct ${embeddingStates.organizationId} as "organizationId" from ${embeddingStates}
    where ${embeddingStates.version} <> ${arg('version')} and ${embeddingStates.passages} > 0`,
);

/** The organizations, in no order, that have passages of other versions. */
export async function listOrganizationsOfOtherVersions(database: Database, version: string): Promise<string[]> {
  return (await organizationsOfOthers.run(database, { version })).map(({ organizationId }) => organizationId);
}

const states = statement<EmbeddingState>(
  'listEmbeddingStates',
  sql`select ${embeddingStates.version}, ${embeddingStates.documents}, ${embeddingStates.passages},
      ${embeddingStates.revision}::float8 as revision, ${embeddingStates.deletedRevision}::float8 as "deletedRevision"
    from ${embeddingStates} where ${embeddingStates.organizationId} = ${arg('organizationId')}`,
);

/** What the organization has of each version, in no order. */
export function listEmbeddingStates(database: Database, organizationId: string): Promise<EmbeddingState[]> {
  return states.run(database, { organizationId });
}

export interface StoredPassage {
  revision: number;
  documentId: string;
  position: number;
  /** As array_send writes it: a head of 20 bytes, then for each number its length and its bits. */
  vector: Buffer;
}

const passagesBetween = statement<StoredPassage>(
  'listPassagesBetweenRevisions',
  sql`select ${documentPassages.revision}::float8 as revision, ${documentPassages.documentId} as "documentId",
      ${documentPassages.position}, array_send(${documentPassages.vector}) as vector
    from ${documentPassages}
    where ${documentPassages.organizationId} = ${arg('organizationId')} and ${documentPassages.version} = ${arg('version')}
      and (${documentPassages.revision}, ${documentPassages.documentId}, ${documentPassages.position})
        > (${arg('revision')}::bigint, ${arg('documentId')}::uuid, ${arg('position')}::integer)
      and ${documentPassages.revision} <= ${arg('lastRevision')}::bigint
    order by ${documentPassages.revision}, ${documentPassages.documentId}, ${documentPassages.position}
    limit ${arg('limit')}`,
);

/** Passages of a version behind a place up to a revision, in the order of their revision, document and position. */
export function listPassagesBetween(
  database: Database,
  wanted: {
    organizationId: string;
    version: string;
    /** Behind this passage. */
    revision: number;
    documentId: string;
    position: number;
    lastRevision: number;
    limit: number;
  },
): Promise<StoredPassage[]> {
  return passagesBetween.run(database, wanted);
}

export interface DocumentMatch {
  document: Document;
  score: number;
  excerpt: string;
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
