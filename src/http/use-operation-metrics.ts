import { createCounter, createHistogram, usePrometheus } from '@envelop/prometheus';
import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import type { Registry } from 'prom-client';
import type { OperationNames } from './operation-names.ts';

type Known = Pick<OperationNames, 'has'>;

const phaseSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 2, 5, 10];

/** How the plugin calls an operation. */
export interface TimedOperation {
  readonly name: string;
  readonly type: string;
}

/** Takes the seconds of an operation that was executed, as the plugin does. */
export type ObserveOperation = (operation: TimedOperation, seconds: number) => void;

/** As the plugin sees it: by the name that was asked for, or else by what comes first in the document. */
export function timedOperation(document: DocumentNode, operationName: string | null): TimedOperation {
  const [first] = document.definitions as readonly Partial<OperationDefinitionNode>[];
  return { name: operationName ?? first?.name?.value ?? 'Anonymous', type: first?.operation ?? 'unknown' };
}

/** For operations that are executed without the plugin, into the same histograms. */
export function createOperationTimes(registry: Registry, knownOperations: Known): ObserveOperation {
  const { graphql_envelop_request_duration: requests, graphql_envelop_phase_execute: executions } = createHistograms(
    registry,
    knownOperations,
  );
  return ({ name, type }, seconds) => {
    requests.histogram.observe({ operation: nameOf(name, knownOperations), type }, seconds);
    executions.histogram.observe({ type }, seconds);
  };
}

/**
 * Counts and times operations. A client chooses its operation's name, so only names of known operations become labels;
 * all others share one, and the number of series stays fixed.
 */
export function useOperationMetrics(registry: Registry, knownOperations: Known) {
  return usePrometheus({
    registry,
    metrics: {
      ...createHistograms(registry, knownOperations),
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

function createHistograms(registry: Registry, knownOperations: Known) {
  const typeOf = (type: string | undefined) => type ?? 'unknown';
  return {
    graphql_envelop_request_duration: createHistogram<never, 'operation' | 'type'>({
      registry,
      histogram: {
        name: 'graphql_request_seconds',
        help: 'Time of an operation.',
        labelNames: ['operation', 'type'],
        buckets: phaseSeconds,
      },
      fillLabelsFn: ({ operationName, operationType }) => ({
        operation: nameOf(operationName, knownOperations),
        type: typeOf(operationType),
      }),
    }),
    // By type only: execution is nearly all of a request's time, and 1,000 operations told twice were half of a page that
    // takes 100 ms.
    graphql_envelop_phase_execute: createHistogram<never, 'type'>({
      registry,
      histogram: {
        name: 'graphql_execute_seconds',
        help: 'Time of execution.',
        labelNames: ['type'],
        buckets: phaseSeconds,
      },
      fillLabelsFn: ({ operationType }) => ({ type: typeOf(operationType) }),
    }),
  };
}

function nameOf(name: string | undefined, knownOperations: Known): string {
  return name !== undefined && knownOperations.has(name) ? name : 'other';
}

function codeOf(code: unknown): string {
  return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? code : 'INTERNAL';
}
