/** Nearest neighbours by cosine, and the similarity above which a neighbour may be taken for the same. */

export interface Labelled {
  /** Of length 1. */
  vector: Float32Array;
  label: string;
}

/** How near the nearest neighbour is, and whether it has the same label. */
export interface Match {
  similarity: number;
  isSame: boolean;
}

/** The nearest known vector of each query. */
export function matchNearest(queries: readonly Labelled[], known: readonly Labelled[]): Match[] {
  return queries.map((query) => {
    let best: Match = { similarity: Number.NEGATIVE_INFINITY, isSame: false };
    for (const { vector, label } of known) {
      let similarity = 0;
      for (let k = 0; k < vector.length; k++) similarity += vector[k]! * query.vector[k]!;
      if (similarity > best.similarity) best = { similarity, isSame: label === query.label };
    }
    return best;
  });
}

/** The lowest similarity at and above which at least this share of the matches is the same; more than 1 if there is none. */
export function chooseThreshold(matches: readonly Match[], precision: number): number {
  const nearestFirst = matches.toSorted((a, b) => b.similarity - a.similarity);
  let same = 0;
  let threshold = 1.01;
  for (const [i, match] of nearestFirst.entries()) {
    if (match.isSame) same++;
    if (same / (i + 1) >= precision) threshold = match.similarity;
  }
  return threshold;
}

/** Share of matches at or above the threshold, and the share of those that are the same (1 when there are none). */
export function measureThreshold(matches: readonly Match[], threshold: number): { hitRate: number; precision: number } {
  const hits = matches.filter((match) => match.similarity >= threshold);
  const same = hits.filter((match) => match.isSame).length;
  return { hitRate: hits.length / matches.length, precision: hits.length === 0 ? 1 : same / hits.length };
}
