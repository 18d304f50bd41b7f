/** One order of several. Pure. */

// The constant of the paper: a first place in one list outweighs no two places among the first sixty of both.
const damping = 60;

export interface Fused {
  id: string;
  /** 1: first in all lists. */
  score: number;
}

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): each list gives its ids 1 / (60 + rank), which are
 * summed. Best first, equal ones by id. Each id stands in a list once at most.
 */
export function fuseRanks(lists: readonly (readonly string[])[]): Fused[] {
  const sums = new Map<string, number>();
  for (const list of lists) {
    for (const [index, id] of list.entries()) sums.set(id, (sums.get(id) ?? 0) + 1 / (damping + index + 1));
  }
  const most = lists.length / (damping + 1);
  const fused = [...sums].map(([id, sum]) => ({ id, score: sum / most }));
  return fused.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
}
