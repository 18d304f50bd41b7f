import { createCounter, createHistogram, usePrometheus } from '@envelop/prometheus';
import type { Registry } from 'prom-client';
import type { OperationNames } from './operation-names.ts';

const phaseSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 2, 5, 10];

/**
 * Counts and times operations. A client chooses its operation's name, so only names of known operations become labels;
 * all others share one, and the number of series stays fixed.
 */
export function useOperationMetrics(registry: Registry, knownOperations: Pick<OperationNames, 'has'>) {
  const nameOf = (name: string | undefined) => (name !== undefined && knownOperations.has(name) ? name : 'other');
  const histogram = (name: string, help: string) =>
    createHistogram<never, 'operation' | 'type'>({
      registry,
      histogram: { name, help, labelNames: ['operation', 'type'], buckets: phaseSeconds },
      fillLabelsFn: ({ operationName, operationType }) => ({
        operation: nameOf(operationName),
        type: operationType ?? 'unknown',
      }),
    });
  return usePrometheus({
    registry,
    metrics: {
      graphql_envelop_request_duration: histogram('graphql_request_seconds', 'Time of an operation.'),
      graphql_envelop_phase_execute: histogram('graphql_execute_seconds', 'Time of execution.'),
      graphql_envelop_error_result: createCounter<never, 'code' | 'phase'>({
        registry,
        counter: { name: 'graphql_errors_total', help: 'Errors by phase and code.', labelNames: ['code', 'phase'] },
        fillLabelsFn: ({ error, errorPhase }) => ({
          code: codeOf((error as { extensions?: Record<string, unknown> } | undefined)?.extensions?.code),
          phase: errorPhase ?? 'unknown',
        }),
      }),
    },
  });
}

function codeOf(code: unknown): string {
  return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? code : 'INTERNAL';
}
