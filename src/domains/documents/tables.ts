import { sql } from 'drizzle-orm';
import {
  bigint,
  customType,
  foreignKey,
  index,
  integer,
  pgSequence,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { organizations, users } from '../accounts/tables.ts';

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });

export const documents = pgTable(
  'documents',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid('id').notNull(),
    title: text('title').notNull(),
    content: text('content').notNull(),
    uploadedById: uuid('uploaded_by_id').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
    search: tsvector('search').generatedAlwaysAs(
      sql`setweight(to_tsvector('english', "title"), 'A') || setweight(to_tsvector('english', "content"), 'B')`,
    ),
    /** The version of the model, as embeddingKey names it, that its passages were embedded by last; null: by none yet. */
    embeddedBy: text('embedded_by'),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: 'documents_uploader',
      columns: [table.organizationId, table.uploadedById],
      foreignColumns: [users.organizationId, users.id],
    }),
    index('documents_created').on(table.organizationId, table.createdAt, table.id),
    index('documents_search').using('gin', table.organizationId, table.search),
    // What is left to embed is looked for in all organizations at once, and in one of them.
    index('documents_embedded').on(table.embeddedBy, table.organizationId, table.id),
  ],
);

/** Numbers every change of passages; never goes back, not even when all tables are emptied. */
export const passageRevisions = pgSequence('passage_revisions');

/** A part of a document with its vector, one row for each version of the model. */
export const documentPassages = pgTable(
  'document_passages',
  {
    organizationId: uuid('organization_id').notNull(),
    documentId: uuid('document_id').notNull(),
    version: text('version').notNull(),
    position: integer('position').notNull(),
    /** Where it lies in the content, in characters; the first one is 0. */
    start: integer('start').notNull(),
    length: integer('length').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull(),
    vector: real('vector').array().notNull(),
  },
  (table) => [
    primaryKey({
      name: 'document_passages_pk',
      columns: [table.organizationId, table.documentId, table.version, table.position],
    }),
    foreignKey({
      name: 'document_passages_document',
      columns: [table.organizationId, table.documentId],
      foreignColumns: [documents.organizationId, documents.id],
    }).onDelete('cascade'),
    index('document_passages_revision').on(
      table.organizationId,
      table.version,
      table.revision,
      table.documentId,
      table.position,
    ),
  ],
);

/** What an organization has of each version: counts, and up to where a copy in memory has seen its passages. */
export const embeddingStates = pgTable(
  'embedding_states',
  {
    organizationId: uuid('organization_id').notNull(),
    version: text('version').notNull(),
    documents: integer('documents').notNull(),
    passages: integer('passages').notNull(),
    /** Of the last change; written in its transaction, so that all passages up to it can be seen with it. */
    revision: bigint('revision', { mode: 'number' }).notNull(),
    /** Of the last change that took passages away, or of the first one: older copies are worth nothing. */
    deletedRevision: bigint('deleted_revision', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({ name: 'embedding_states_pk', columns: [table.organizationId, table.version] }),
    foreignKey({
      name: 'embedding_states_organization',
      columns: [table.organizationId],
      foreignColumns: [organizations.id],
    }).onDelete('cascade'),
  ],
);

export type Document = Omit<typeof documents.$inferSelect, 'search' | 'embeddedBy'>;
export type EmbeddingState = Omit<typeof embeddingStates.$inferSelect, 'organizationId'>;
