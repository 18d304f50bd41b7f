/** What a cost depends on that only a request knows. */
export interface Evaluation {
  /** As the client sent them: what coercion would refuse is never executed, so its cost does not matter. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The costs of fragments that were counted already, by their slots. */
  readonly fragments: (number | undefined)[];
}

/** A number, or what becomes one with the variables of a request; never negative, NaN or above `maxCost`. */
export type Cost = number | ((evaluation: Evaluation) => number);

/** Sums and products stop here, so that zero times a bomb is zero and a total stays a number that JSON can carry. */
export const maxCost = Number.MAX_SAFE_INTEGER;

export function costIn(evaluation: Evaluation, cost: Cost): number {
  return typeof cost === 'number' ? cost : cost(evaluation);
}

export function sum(costs: readonly Cost[]): Cost {
  let constant = 0;
  const parts: ((evaluation: Evaluation) => number)[] = [];
  for (const cost of costs) {
    if (typeof cost === 'number') constant = Math.min(constant + cost, maxCost);
    else parts.push(cost);
  }
  if (parts.length === 0) return constant;
  return (evaluation) => {
    let total = constant;
    for (const part of parts) total += part(evaluation);
    return Math.min(total, maxCost);
  };
}

export function product(left: Cost, right: Cost): Cost {
  if (left === 0 || right === 0) return 0;
  if (typeof left === 'number' && typeof right === 'number') return Math.min(left * right, maxCost);
  return (evaluation) => Math.min(costIn(evaluation, left) * costIn(evaluation, right), maxCost);
}

/** The largest of the costs; 0 when there are none. */
export function largest(costs: readonly Cost[]): Cost {
  const constant = costs.reduce<number>((most, cost) => (typeof cost === 'number' ? Math.max(most, cost) : most), 0);
  const parts = costs.filter((cost) => typeof cost !== 'number');
  if (parts.length === 0) return constant;
  return (evaluation) => parts.reduce((most, part) => Math.max(most, part(evaluation)), constant);
}

/** The cost where the condition holds, 0 elsewhere. */
export function when(condition: boolean | ((evaluation: Evaluation) => boolean), cost: Cost): Cost {
  if (typeof condition === 'boolean') return condition ? cost : 0;
  if (cost === 0) return 0;
  return (evaluation) => (condition(evaluation) ? costIn(evaluation, cost) : 0);
}

/** The same cost, counted once in an evaluation however often it is asked for; each needs a slot of its own. */
export function once(cost: Cost, slot: number): Cost {
  if (typeof cost === 'number') return cost;
  return (evaluation) => {
    evaluation.fragments[slot] ??= cost(evaluation);
    return evaluation.fragments[slot];
  };
}
