import { setImmediate as turn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/database.ts';
import type { NearDocument, NearestRequest, VectorIndex, VectorSet } from '../../inference/vector-index.ts';
import { NearestPassages, type PassageBlock } from './nearest.ts';
import { listNearestPassages, listPassagesBetween, type StoredPassage } from './queries/passage.ts';

export interface PassageIndexOptions {
  database: Database;
  /** Most memory of all copies together; an organization that needs more is read at each search. Default: 64 MiB. */
  maxBytes?: number;
  /** The database compares the vectors of such an organization itself: findVectorExtension. Default: false. */
  hasVectors?: boolean;
}

const defaultMaxBytes = 64 * 1024 * 1024;
const bytesPerNumber = 4;
/** Beside the vector: a reference to the document's id, the position, and a share of the id itself. */
const bytesPerPassage = 16;
// A page takes some 3 ms of the event loop, from the driver to the vectors.
const pageRows = 250;
const maxBlockRows = 4_096;
const rowsBetweenChecks = 512;
const maxTurnMs = 3;
const firstId = '00000000-0000-0000-0000-000000000000';

/** The passages of an organization and version up to a revision. */
interface Copy {
  revision: number;
  blocks: PassageBlock[];
}

/**
 * Exact search in copies of the stored vectors. A copy is made at the first search of an organization; later ones load
 * only what was added since, and all of it again when something was taken away. 100,000 vectors of 128 numbers take 14 ms
 * and 52 MB, after 1.2 s of processor time to read them; 4 s at each search for which there is no room, or 0.11 s there
 * where the database has pgvector.
 */
export function createPassageIndex({
  database,
  maxBytes = defaultMaxBytes,
  hasVectors = false,
}: PassageIndexOptions): VectorIndex {
  const copies = new LRUCache<string, Copy>({ maxSize: maxBytes });
  const loading = new Map<string, Promise<Copy>>();

  async function upToDate(set: VectorSet, dimensions: number): Promise<Copy> {
    const key = `${set.organizationId} ${set.version}`;
    for (;;) {
      const known = copies.get(key);
      if (known && known.revision >= set.revision) return known;
      const load = loading.get(key) ?? loadCopy(key, known, set, dimensions);
      const copy = await load;
      if (copy.revision >= set.revision) return copy;
    }
  }

  /** One at a time for each key: what comes meanwhile waits, and loads the rest. */
  function loadCopy(key: string, known: Copy | undefined, set: VectorSet, dimensions: number): Promise<Copy> {
    const isUsable = known !== undefined && known.revision >= set.deletedRevision;
    const after = isUsable ? known.revision : 0;
    const load = (async () => {
      let blocks = isUsable ? known.blocks : [];
      for await (const block of readBlocks(database, set, after, dimensions)) blocks = withBlock(blocks, block);
      const copy = { revision: set.revision, blocks };
      copies.set(key, copy, { size: sizeOf(blocks) });
      return copy;
    })().finally(() => loading.delete(key));
    loading.set(key, load);
    return load;
  }

  return {
    async nearest({ set, vector, limit, minScore, signal }: NearestRequest): Promise<NearDocument[]> {
      const found = new NearestPassages(vector, minScore);
      const bytes = set.passages * (vector.length * bytesPerNumber + bytesPerPassage);
      if (bytes > maxBytes && hasVectors) {
        return unlessAborted(listNearestPassages(database, { set, vector, limit, minScore }), signal);
      }
      if (bytes > maxBytes) {
        for await (const block of readBlocks(database, set, 0, vector.length)) {
          signal.throwIfAborted();
          await scan([block], found, signal);
        }
      } else {
        const { blocks } = await unlessAborted(upToDate(set, vector.length), signal);
        await scan(blocks, found, signal);
      }
      return found.list(limit);
    },
  };
}

/** Compares in slices, so that other work has its turn every few milliseconds. */
async function scan(blocks: readonly PassageBlock[], found: NearestPassages, signal: AbortSignal): Promise<void> {
  let since = performance.now();
  for (const block of blocks) {
    for (let from = 0; from < block.documentIds.length; from += rowsBetweenChecks) {
      found.add(block, from, Math.min(from + rowsBetweenChecks, block.documentIds.length));
      if (performance.now() - since < maxTurnMs) continue;
      await turn();
      signal.throwIfAborted();
      since = performance.now();
    }
  }
}

/** The passages behind a revision up to the set's, as blocks of a page each. */
async function* readBlocks(
  database: Database,
  { organizationId, version, revision: lastRevision }: VectorSet,
  revision: number,
  dimensions: number,
): AsyncGenerator<PassageBlock> {
  // Behind all passages of the revision: they are numbered from 0.
  let place = { revision: revision + 1, documentId: firstId, position: -1 };
  for (;;) {
    const wanted = { organizationId, version, ...place, lastRevision, limit: pageRows };
    const rows = await listPassagesBetween(database, wanted);
    if (rows.length > 0) yield toBlock(rows, dimensions);
    if (rows.length < pageRows) return;
    const { revision, documentId, position } = rows.at(-1)!;
    place = { revision, documentId, position };
  }
}

function toBlock(rows: readonly StoredPassage[], dimensions: number): PassageBlock {
  const vectors = new Float32Array(rows.length * dimensions);
  for (const [index, { vector }] of rows.entries()) {
    decodeVector(vector, vectors.subarray(index * dimensions, (index + 1) * dimensions));
  }
  let previous = '';
  const documentIds = rows.map(({ documentId }) => {
    // One string for all passages of a document.
    if (documentId !== previous) previous = documentId;
    return previous;
  });
  return { documentIds, positions: Int32Array.from(rows, ({ position }) => position), vectors };
}

/** The numbers of a real[] as array_send writes it: a head of 20 bytes, then for each its length and its bits. */
function decodeVector(sent: Buffer, into: Float32Array): void {
  for (let index = 0; index < into.length; index++) into[index] = sent.readFloatBE(24 + 8 * index);
}

/** The blocks with one more; small ones become one, or many uploads would make many blocks. */
function withBlock(blocks: readonly PassageBlock[], block: PassageBlock): PassageBlock[] {
  const last = blocks.at(-1);
  if (!last || last.documentIds.length + block.documentIds.length > maxBlockRows) return [...blocks, block];
  return [...blocks.slice(0, -1), join(last, block)];
}

function join(first: PassageBlock, second: PassageBlock): PassageBlock {
  const positions = new Int32Array(first.positions.length + second.positions.length);
  positions.set(first.positions);
  positions.set(second.positions, first.positions.length);
  const vectors = new Float32Array(first.vectors.length + second.vectors.length);
  vectors.set(first.vectors);
  vectors.set(second.vectors, first.vectors.length);
  return { documentIds: [...first.documentIds, ...second.documentIds], positions, vectors };
}

function sizeOf(blocks: readonly PassageBlock[]): number {
  let bytes = 1;
  for (const { vectors, documentIds } of blocks) bytes += vectors.byteLength + documentIds.length * bytesPerPassage;
  return bytes;
}

/** The promise, or the signal's reason as soon as it is aborted; the promise goes on for others. */
function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}
