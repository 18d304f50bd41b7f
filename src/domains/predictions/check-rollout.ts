import { badUserInput, type InputIssue } from '../../errors.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import type { Guard } from './rollout-guard.ts';
import type { RolloutChange } from './rollout-queries.ts';
import type { VersionWeight } from './version-choice.ts';

/** A rollout as a client asks for it. */
export interface RolloutRequest {
  model: string;
  weights: readonly VersionWeight[];
  shadow?: { version: string; share: number } | undefined;
  guard: Guard;
}

/** So that 0.1 + 0.2 + 0.7 is 1. */
const tolerance = 1e-6;

/**
 * A rollout that the loaded versions can serve, as it is kept.
 * @throws BAD_USER_INPUT with an issue for each fault: an embedding model, what is named and not loaded, named twice, weights that do not add
 * up to 1, a shadow that answers viewers itself or takes other inputs
 */
export function checkRollout(
  loaded: readonly LoadedVersion[],
  { model, weights, shadow, guard }: RolloutRequest,
): Omit<RolloutChange, 'organizationId' | 'updatedById'> {
  const versions = new Map(loaded.filter(({ name }) => name === model).map((version) => [version.version, version]));
  if (versions.size === 0) {
    const known = [...new Set(loaded.map(({ name }) => name))].join(', ');
    throw badUserInput({ path: 'input.model', message: `expected a loaded model: ${known || 'there is none'}` });
  }
  // Vectors are stored: those of two versions cannot be compared, whoever asks.
  if ([...versions.values()].some(({ task }) => task === 'EMBEDDING')) {
    const message = 'expected a model that is not for EMBEDDING: its newest version makes the vectors of all viewers';
    throw badUserInput({ path: 'input.model', message });
  }
  const [first, ...others] = [
    ...weightIssues(versions, weights),
    ...(shadow ? shadowIssues(versions, weights, shadow) : []),
  ];
  if (first) throw badUserInput(first, ...others);
  return {
    model,
    weights: Object.fromEntries(weights.map(({ version, weight }) => [version, weight])),
    shadowVersion: shadow?.version ?? null,
    shadowShare: shadow?.share ?? 0,
    ...guard,
  };
}

type Versions = ReadonlyMap<string, LoadedVersion>;

function weightIssues(versions: Versions, weights: readonly VersionWeight[]): InputIssue[] {
  const names = weights.map(({ version }) => version);
  const issues = names.flatMap((version, index) => {
    const path = `input.weights.${index}.version`;
    if (!versions.has(version)) return [{ path, message: loadedOnly(versions) }];
    return names.indexOf(version) < index ? [{ path, message: 'expected each version once' }] : [];
  });
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  if (issues.length > 0 || Math.abs(total - 1) <= tolerance) return issues;
  return [{ path: 'input.weights', message: `expected weights that add up to 1, got ${Number(total.toFixed(6))}` }];
}

function shadowIssues(
  versions: Versions,
  weights: readonly VersionWeight[],
  { version }: { version: string },
): InputIssue[] {
  const path = 'input.shadow.version';
  const shadow = versions.get(version);
  if (!shadow) return [{ path, message: loadedOnly(versions) }];
  const serving = weights.filter(({ weight }) => weight > 0);
  if (serving.some((entry) => entry.version === version)) {
    return [{ path, message: 'expected a version with weight 0: this one answers viewers itself' }];
  }
  const other = serving.find((entry) => !haveSameInputs(shadow, versions.get(entry.version)));
  if (!other) return [];
  return [
    { path, message: `expected a version with the same inputs as version ${other.version}, which answers viewers` },
  ];
}

/** The rows of one can run on the other. */
function haveSameInputs(first: LoadedVersion, second: LoadedVersion | undefined): boolean {
  if (!second) return true;
  return first.task === second.task && JSON.stringify(inputsOf(first)) === JSON.stringify(inputsOf(second));
}

/** Without the names of dynamic axes, which mean nothing to a row. */
function inputsOf({ manifest }: LoadedVersion): unknown {
  const inputs = manifest.inputs.map(({ name, type, shape }) => ({
    name,
    type,
    shape: shape.map((size) => (typeof size === 'number' ? size : null)),
  }));
  return inputs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function loadedOnly(versions: Versions): string {
  return `expected a loaded version: ${[...versions.keys()].join(', ')}`;
}
