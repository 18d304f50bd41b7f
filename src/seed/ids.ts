import { v7 } from 'uuid';
import { createRandom } from './random.ts';

/** Makes UUIDv7s of given milliseconds; unlike idAt of db/id.ts the rest comes from a seed, so that a seed repeats itself. */
export type SeededIds = (epochMs: number) => string;

export function createSeededIds(seed: string): SeededIds {
  const random = createRandom(`ids of ${seed}`);
  return (epochMs) => v7({ msecs: epochMs, random: Uint8Array.from({ length: 16 }, () => random.integer(0, 255)) });
}

/** An epoch as the ISO text that timestamptz columns take. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
