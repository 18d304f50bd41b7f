/** Exact search among vectors in memory, block by block. Pure. */
import type { NearDocument } from '../../inference/vector-index.ts';

/** Passages of one version, those of a document side by side; vectors lie one behind the other. */
export interface PassageBlock {
  documentIds: readonly string[];
  positions: Int32Array;
  vectors: Float32Array;
}

/** The nearest passage of each document seen so far, of those that are near enough. */
export class NearestPassages {
  readonly #vector: Float32Array;
  readonly #minScore: number;
  readonly #best = new Map<string, NearDocument>();

  constructor(vector: Float32Array, minScore: number) {
    this.#vector = vector;
    this.#minScore = minScore;
  }

  /** Compares the passages from `from` up to `to`. */
  add({ documentIds, positions, vectors }: PassageBlock, from = 0, to = documentIds.length): void {
    for (let index = from; index < to; index++) {
      const score = round(dotProduct(this.#vector, vectors, index * this.#vector.length));
      if (score < this.#minScore) continue;
      const documentId = documentIds[index]!;
      const position = positions[index]!;
      const best = this.#best.get(documentId);
      if (!best || score > best.score || (score === best.score && position < best.position)) {
        this.#best.set(documentId, { documentId, position, score });
      }
    }
  }

  /** Nearest first, equally near ones by id. */
  list(limit: number): NearDocument[] {
    const compare = (a: NearDocument, b: NearDocument) => b.score - a.score || (a.documentId < b.documentId ? -1 : 1);
    return [...this.#best.values()].sort(compare).slice(0, limit);
  }
}

// Four sums at a time: they do not wait for each other (100,000 vectors of 128: see the figures in passage-index.ts).
function dotProduct(vector: Float32Array, vectors: Float32Array, offset: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const { length } = vector;
  const whole = length - (length % 4);
  for (let k = 0; k < whole; k += 4) {
    a += vector[k]! * vectors[offset + k]!;
    b += vector[k + 1]! * vectors[offset + k + 1]!;
    c += vector[k + 2]! * vectors[offset + k + 2]!;
    d += vector[k + 3]! * vectors[offset + k + 3]!;
  }
  for (let k = whole; k < length; k++) a += vector[k]! * vectors[offset + k]!;
  return a + b + c + d;
}

function round(cosine: number): number {
  return Math.round(cosine * 1e6) / 1e6;
}
