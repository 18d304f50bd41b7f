import { responsePathAsArray } from 'graphql';
import { z } from 'zod';
import { type Context, requireViewer } from '../../context.ts';
import { newId } from '../../db/id.ts';
import { builder } from '../../schema/builder.ts';
import { connectionType, resolveList } from '../../schema/connection.ts';
import { parseUuid } from '../../schema/global-id.ts';
import { integer, line, paragraphs, parseInput } from '../../schema/input.ts';
import { reference } from '../../schema/loaded-field.ts';
import { idempotencyKey, idempotencyKeyDescription, keepRow, runOnce } from '../accounts/idempotency.ts';
import { userById } from '../accounts/loaders.ts';
import { UserRef } from '../accounts/schema.ts';
import { embeddingVersion } from '../predictions/embed-texts.ts';
import { embedDocument } from './embed-document.ts';
import { documentById } from './loaders.ts';
import { type DocumentMatch, documentList, insertDocument } from './queries/document.ts';
import type { EmbeddedPassages } from './queries/passage.ts';
import { searchDocuments } from './search-documents.ts';
import type { Document } from './tables.ts';

const DocumentRef = builder.objectRef<Document>('Document');
const DocumentConnection = connectionType('Document', DocumentRef, 'documents');

builder.node(DocumentRef, {
  description: 'A text the assistant can draw on.',
  id: { resolve: (document) => document.id, parse: parseUuid },
  loadWithoutCache: (id, context) => documentById(context).load(id),
  fields: (t) => ({
    title: t.exposeString('title', { description: 'What it is about.' }),
    content: t.exposeString('content', { description: 'The text.' }),
    uploadedBy: t.field({
      type: UserRef,
      description: 'Who brought it.',
      ...reference(userById, (document: Document) => document.uploadedById),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was uploaded.' }),
  }),
});

builder.queryField('documents', (t) =>
  t.field({
    type: DocumentConnection,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'The documents of the organization, latest first.',
    args: t.arg.connectionArgs(),
    resolve: (_root, paging, context) =>
      resolveList(documentList, context, paging, { order: 'CREATED_AT', direction: 'DESC' }),
  }),
);

const SearchMode = builder.enumType('SearchMode', {
  description: 'How documents are searched.',
  values: {
    KEYWORD: { description: 'By the words of the query, in any form.' },
    SEMANTIC: { description: 'By passages that read like the query, whether or not they hold its words.' },
    HYBRID: { description: 'Both lists as one, by their ranks; by the words alone while no model is available.' },
  },
});

const DocumentMatchRef = builder.objectRef<DocumentMatch>('DocumentMatch').implement({
  description: 'A document that answers a search.',
  fields: (t) => ({
    document: t.expose('document', { type: DocumentRef, description: 'The document.' }),
    score: t.exposeFloat('score', { description: 'How well it matches, 0 to 1; comparable within one answer only.' }),
    excerpt: t.exposeString('excerpt', { description: 'Where it matches, the words marked by **.' }),
  }),
});

const searchInput = z.object({ query: line(500), first: integer(0, 100) });

builder.queryField('searchDocuments', (t) =>
  t.field({
    type: [DocumentMatchRef],
    scope: 'read',
    cost: 20,
    listSize: { slicingArguments: ['first'], maxSize: 100 },
    description:
      'The documents that answer a query, best first. SEMANTIC and HYBRID may give those of an earlier question of the organization that is the same by the model: `extensions.semanticCache` says so, and a request with `Cache-Control: no-cache` is never answered like that.',
    args: {
      query: t.arg.string({
        required: true,
        description:
          '1 to 500 characters; by words: "phrases", or between alternatives, - before what must not be there.',
      }),
      mode: t.arg({ type: SearchMode, required: true, defaultValue: 'HYBRID', description: 'How to search.' }),
      first: t.arg.int({ required: true, defaultValue: 10, description: 'At most so many, 0 to 100.' }),
    },
    resolve: async (_root, { query, mode, first }, context, info) => {
      const { organizationId } = requireViewer(context);
      const input = parseInput(searchInput, { query, first }, '');
      const { matches, earlier } = await searchDocuments(context, organizationId, { ...input, mode });
      if (earlier) context.semanticHits.push({ path: responsePathAsArray(info.path), ...earlier });
      return matches;
    },
  }),
);

const UploadDocumentInput = builder.inputType('UploadDocumentInput', {
  description: 'A new document.',
  fields: (t) => ({
    title: t.string({ required: true, description: 'One line, 1 to 200 characters.' }),
    content: t.string({ required: true, description: 'Plain text, 1 to 200,000 characters.' }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const UploadDocumentPayload = builder.objectRef<{ document: Document }>('UploadDocumentPayload').implement({
  description: 'What uploadDocument did.',
  fields: (t) => ({ document: t.expose('document', { type: DocumentRef, description: 'The new document.' }) }),
});

const uploadInput = z.object({ title: line(200), content: paragraphs(1, 200_000), idempotencyKey });

builder.mutationField('uploadDocument', (t) =>
  t.field({
    type: UploadDocumentPayload,
    scope: 'write',
    cost: 10,
    description:
      'Uploads a document; it can be found as soon as this answers: by its words, and by what it says unless the models are busy, then soon after.',
    args: { input: t.arg({ type: UploadDocumentInput, required: true, description: 'What to upload.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(uploadInput, args.input);
      const { userId, organizationId } = requireViewer(context);
      const row = { id: newId(), title: input.title, content: input.content, uploadedById: userId };
      const once = { mutation: 'uploadDocument', input, keeping: keepRow(documentById) };
      const document = await runOnce(context, once, (write) =>
        embedOrSkip(context, organizationId, row).then((passages) =>
          write((database) => insertDocument(database, organizationId, row, passages)),
        ),
      );
      return { document: document! };
    },
  }),
);

/** So long an upload waits for its vectors; what takes longer gets them from the background pass. */
const embeddingLimitMs = 5_000;

/** A document is kept whether or not a model can embed it now; null: later. */
async function embedOrSkip(
  context: Context,
  organizationId: string,
  document: { title: string; content: string },
): Promise<EmbeddedPassages | null> {
  try {
    const version = embeddingVersion(context.inference);
    const options = { lane: 'bulk', deadlineMs: embeddingLimitMs } as const;
    return await embedDocument(context, organizationId, document, version, options);
  } catch {
    return null;
  }
}
