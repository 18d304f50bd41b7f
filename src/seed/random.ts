/** Seeded random numbers: the same seed gives the same data on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer from `least` to `most`, both included. */
  integer(least: number, most: number): number;
  pick<Item>(items: readonly Item[]): Item;
  chance(probability: number): boolean;
  /** A key with the probability of its weight among all weights. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key;
  /** Standard normal. */
  gauss(): number;
  /** Exponential with this mean. */
  exponential(mean: number): number;
  shuffled<Item>(items: readonly Item[]): Item[];
}

/** Random numbers from a text (FNV-1a into mulberry32); different texts give unrelated sequences. */
export function createRandom(seed: string): Random {
  const next = createSequence(hashText(seed));
  const integer = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    integer,
    pick: (items) => items[integer(0, items.length - 1)]!,
    chance: (probability) => next() < probability,
    weighted: (weights) => pickWeighted(weights, next()),
    gauss: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    exponential: (mean) => -mean * Math.log(1 - next()),
    shuffled: (items) => {
      const result = [...items];
      for (let i = result.length - 1; i > 0; i--) {
        const other = integer(0, i);
        [result[i], result[other]] = [result[other]!, result[i]!];
      }
      return result;
    },
  };
}

function createSequence(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pickWeighted<Key extends string>(weights: Readonly<Record<Key, number>>, share: number): Key {
  const entries = Object.entries(weights) as [Key, number][];
  let left = share * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [key, weight] of entries) {
    left -= weight;
    if (left < 0) return key;
  }
  return entries.at(-1)![0];
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
