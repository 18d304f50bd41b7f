/** Which version of a model answers a viewer: weights of a rollout, and a choice that stays the same. Pure. */
import { hash } from 'node:crypto';
import type { LoadedVersion } from '../../inference/engine.ts';
import { isGpu } from '../../inference/execution-providers.ts';
import type { ModelRollout } from './tables.ts';

/** A version with its share of the viewers, 0 to 1. */
export interface VersionWeight {
  version: string;
  weight: number;
}

// Version 10 comes after version 9.
const byName = new Intl.Collator('en', { numeric: true });

/**
 * Which of a model's versions answers when nothing else is said: the newest of full precision, or of all where there is
 * none. On a GPU its FP16 variant does, where it is loaded; other variants are for those who ask for them.
 */
export function defaultVersion(versions: readonly LoadedVersion[]): LoadedVersion {
  const full = versions.filter(({ precision }) => precision === 'FP32');
  const candidates = full.length > 0 ? full : versions;
  const newest = candidates.reduce((best, version) =>
    byName.compare(version.version, best.version) > 0 ? version : best,
  );
  const half = versions.find(({ version, precision, executionProvider }) => {
    return version === `${newest.version}-fp16` && precision === 'FP16' && isGpu(executionProvider);
  });
  return half ?? newest;
}

/**
 * The share of each loaded version of one model, in their order; they add up to 1, as nearly as they were given. Versions
 * of the rollout that are not loaded leave theirs to the others in proportion; where none is left, the baseline answers
 * all, or the default version when that is gone too. Without a rollout it is the default version.
 */
export function effectiveWeights(
  versions: readonly LoadedVersion[],
  rollout: Pick<ModelRollout, 'weights' | 'baselineVersion'> | null,
): VersionWeight[] {
  const weights = rollout?.weights ?? {};
  const given = versions.map(({ version }) => ({ version, weight: weightOf(weights, version) }));
  const total = given.reduce((sum, { weight }) => sum + weight, 0);
  const isWhole = Object.keys(weights).every((version) => given.some((entry) => entry.version === version));
  if (total > 0 && isWhole) return given;
  if (total > 0) return given.map(({ version, weight }) => ({ version, weight: weight / total }));
  const baseline = versions.find(({ version }) => version === rollout?.baselineVersion);
  const only = (baseline ?? defaultVersion(versions)).version;
  return given.map(({ version }) => ({ version, weight: version === only ? 1 : 0 }));
}

/** The weight that a rollout gives a version; 0 when it does not name it. */
export function weightOf(weights: Readonly<Record<string, number>>, version: string): number {
  return Object.hasOwn(weights, version) ? weights[version]! : 0;
}

/**
 * The version for a key, such as a viewer and a model: the same one as long as the weights are, and each for its share of
 * all keys. When one version's weight grows at the expense of the others, keys move to that version only.
 * Source: weighted rendezvous hashing (Thaler and Ravishankar 1998, with the logarithmic scores of Schindelhauer and
 * Schomaker 2005).
 * @throws RangeError when no weight is above 0
 */
export function chooseVersion(weights: readonly VersionWeight[], key: string): string {
  const candidates = weights.filter(({ weight }) => weight > 0);
  if (candidates.length === 0) throw new RangeError('expected a weight above 0');
  if (candidates.length === 1) return candidates[0]!.version;
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const { version, weight } of candidates) {
    const score = -Math.log(hashToUnit(`${key}/${version}`)) / weight;
    if (score >= least) continue;
    least = score;
    best = version;
  }
  return best;
}

/** Above 0 and below 1, from the first 48 bits of a SHA-256: no client can look for ids that all meet one version. */
function hashToUnit(text: string): number {
  return (Number.parseInt(hash('sha256', text).slice(0, 12), 16) + 0.5) / 2 ** 48;
}
