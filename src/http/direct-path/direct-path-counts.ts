import { Counter, type Registry } from 'prom-client';

/** What became of requests that the direct path was asked to answer. */
export const directResults = ['answered', 'handed_on', 'skipped'] as const;
export type DirectCounts = Record<(typeof directResults)[number], number>;

/** Counts to add to, which the registry reads when it is read itself: a label to look up for each request is 0.3 µs. */
export function createDirectCounts(registry: Registry): DirectCounts {
  const counts: DirectCounts = { answered: 0, handed_on: 0, skipped: 0 };
  new Counter({
    name: 'tributary_direct_path_total',
    help: 'GraphQL requests that no kept answer was there for: answered by the direct path, handed on by it to graphql once it had begun, or skipped by it.',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const result of directResults) this.inc({ result }, counts[result]);
    },
  });
  return counts;
}
