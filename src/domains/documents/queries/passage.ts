import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../../db/database.ts';
import { changes, type Writes } from '../../../db/footprint.ts';
import { arg, bare, columns, statement } from '../../../db/statement.ts';
import type { NearDocument, NearestRequest } from '../../../inference/vector-index.ts';
import { documentPassages, documents, type EmbeddingState, embeddingStates, passageRevisions } from '../tables.ts';

/** The passages of a document with their vectors, in order. */
export interface EmbeddedPassages {
  /** As embeddingKey names it. */
  version: string;
  /** In characters of the content. */
  places: readonly { start: number; length: number }[];
  vectors: readonly Float32Array[];
}

/** The start of a statement that gives the rows of `document` (organization_id, id) their passages, and counts them. */
export const withPassages = (document: SQL) => sql`with document as (${document}),
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

/** The arguments of withPassages; null: no passages. */
export function passageValues(embedded: EmbeddedPassages | null) {
  return {
    version: embedded?.version ?? null,
    starts: embedded?.places.map(({ start }) => start) ?? [],
    lengths: embedded?.places.map(({ length }) => length) ?? [],
    vectors: embedded?.vectors.map((vector) => `{${vector.join()}}`) ?? [],
  };
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
// Three probes of one index, where "is distinct from" would read all of it; planned for the version given, or a generic
// plan would expect a third of all documents and read all of them, too (seen on 61,000). A lock of the key would keep passages from
// being written by their foreign key.
const claimed = (condition: SQL, name: string) => sql`select * from (
    select ${unembeddedColumns} from ${documents}
    where ${documents.embeddedBy} ${condition} and ${documents.id} <> all(${arg('except')}::uuid[])
    limit ${arg('limit')}::integer for no key update of ${documents} skip locked) as ${sql.identifier(name)}`;

const claimUnembedded = statement<UnembeddedDocument>(
  'claimUnembeddedDocuments',
  sql`${claimed(sql`is null`, 'missing')} union all ${claimed(sql`< ${arg('version')}`, 'before')}
    union all ${claimed(sql`> ${arg('version')}`, 'behind')} limit ${arg('limit')}::integer`,
  { isPrepared: false, writes: [] },
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
// Nothing that is read of a document itself.
const embeddingWrites: readonly Writes[] = [changes(embeddingStates), changes(documentPassages)];
const markEmbedded = statement<never>('markDocumentEmbedded', markOneEmbedded, { writes: embeddingWrites });
const insertPassages = statement<{ id: string }>(
  'insertDocumentPassages',
  sql`${withPassages(markOneEmbedded)} select document.id from document`,
  { writes: embeddingWrites },
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
  { isPrepared: false, writes: embeddingWrites },
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

const extension = statement<{ isMade: boolean }>(
  'findVectorExtension',
  sql`select exists (select from pg_extension where extname = 'vector') as "isMade"
    from pg_available_extensions where name = 'vector'`,
);
const makeExtension = {
  name: 'createVectorExtension',
  text: 'create extension if not exists vector',
  isPrepared: false,
};

/** Whether the server can compare vectors itself: pgvector is there, or could be made now. */
export async function findVectorExtension(database: Database): Promise<boolean> {
  const [found] = await extension.run(database, {});
  if (!found || found.isMade) return found?.isMade ?? false;
  // Where this user may not, it is as if it were not installed.
  return database.run(makeExtension, []).then(
    () => true,
    () => false,
  );
}

// Compared one by one: no index of pgvector's is used, which would leave out some. Prepared when it is first run, so a
// server without the extension never sees it.
const nearestInDatabase = statement<NearDocument>(
  'listNearestPassages',
  sql`select * from (
      select distinct on (document_id) document_id as "documentId", position, score from (
        select ${documentPassages.documentId}, ${documentPassages.position},
          round(-(${documentPassages.vector}::vector <#> ${arg('vector')}::text::vector)::numeric, 6)::float8 as score
        from ${documentPassages}
        where ${documentPassages.organizationId} = ${arg('organizationId')} and ${documentPassages.version} = ${arg('version')}
        offset 0
      ) as compared
      where score >= ${arg('minScore')}::float8 order by document_id, score desc, position
    ) as best order by score desc, "documentId" limit ${arg('limit')}`,
);

/** VectorIndex.nearest by pgvector; needs findVectorExtension to have said true. */
export function listNearestPassages(
  database: Database,
  { set, vector, limit, minScore }: Omit<NearestRequest, 'signal'>,
): Promise<NearDocument[]> {
  const { organizationId, version } = set;
  return nearestInDatabase.run(database, { organizationId, version, vector: `[${vector.join()}]`, limit, minScore });
}
