import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  NoFragmentCyclesRule,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Limits } from '../../config.ts';
import { tooComplex } from '../../errors.ts';
import { requestIdOf } from '../request-id.ts';
import { type DocumentSize, measureDocument } from './document-size.ts';
import { stripParserState } from './lean-document.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { compileCost, type OperationCost } from './operation-cost.ts';

export interface LimitsOptions {
  limits: Pick<Limits, 'documentLength' | 'tokens' | 'depth' | 'aliases' | 'rootFields' | 'directives' | 'cost'>;
  limitMetrics: LimitMetrics;
  log: Logger;
}

/** A request with `x-cost: report` is told its cost in the answer's extensions. */
const costHeader = 'x-cost';

/**
 * Validation compares fields of one name with each other, which takes 1 µs a pair: this many take 20 to 30 ms, and
 * what graphql itself stops at takes 70 to 170 ms.
 */
const maxFieldPairs = 20_000;

/** How each limit is called in messages; its key is what metrics, logs and `extensions.limit` say. */
const nouns = {
  tokens: 'tokens',
  depth: 'levels of fields',
  aliases: 'aliases',
  rootFields: 'root fields',
  directives: 'directives',
  documentLength: 'characters of a document',
  fieldPairs: 'pairs of fields of one name',
  cost: 'points of cost',
} as const;

type CheckedLimit = keyof typeof nouns;

const costs = new WeakMap<Request, number>();
const compiledCosts = new WeakMap<OperationDefinitionNode, OperationCost>();
/** Requests with a document over a limit that only warns. */
const warned = new WeakSet<Request>();

/** The cost of the operation that a request runs, at least 1; what has not come to its execution costs 1. */
export function costOfRequest(request: Request): number {
  return Math.max(1, costs.get(request) ?? 1);
}

/** What an operation costs, compiled once. */
export function costOfOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationCost {
  const known = compiledCosts.get(operation);
  if (known) return known;
  const cost = compileCost(schema, document, operation);
  compiledCosts.set(operation, cost);
  return cost;
}

/** Whether the document of a request is over a limit that only warns: each such request is told of. */
export function hasWarned(request: Request): boolean {
  return warned.has(request);
}

/**
 * Refuses documents with more of something than the limits admit before they are validated, and operations that cost
 * more before they run, both with QUERY_TOO_COMPLEX. Documents are measured and their costs compiled once, as long as
 * the parser's cache keeps them. Costs are known to plugins that come later in the list, in their onExecute.
 */
export function useLimits({ limits, limitMetrics, log }: LimitsOptions): Plugin {
  const all = { ...limits, fieldPairs: { max: maxFieldPairs, isWarnOnly: false } };
  const sizeOf = createSizes();
  const check = (name: CheckedLimit, actual: number, request: Request) => {
    const { max, isWarnOnly } = all[name];
    if (actual <= max) return;
    limitMetrics.count(name, isWarnOnly ? 'warned' : 'refused');
    if (!isWarnOnly) throw refusal(name, max, actual);
    warned.add(request);
    log.warn({ requestId: requestIdOf(request), limit: name, max, actual }, `over the limit ${name}`);
  };
  const { max: maxTokens, isWarnOnly: isTokensWarnOnly } = limits.tokens;
  const isTokensBound = Number.isFinite(maxTokens) && !isTokensWarnOnly;
  return {
    onParse({ context, params: { source }, setParseFn }) {
      // Before a character is read: comments are no tokens, and 600,000 characters of them take 50 ms.
      check('documentLength', (typeof source === 'string' ? source : source.body).length, context.request);
      const bound = isTokensBound ? { maxTokens } : {};
      setParseFn((source, options) => parseShallow(source, { ...options, ...bound }));
      return ({ result }) => {
        // Counting stopped at the limit. Thrown here so that the parser's cache does not keep the document.
        if (isTokensBound && isTooManyTokens(result)) check('tokens', maxTokens + 1, context.request);
      };
    },
    onValidate({ context, params: { schema, documentAST }, setResult }) {
      const size = sizeOf(documentAST);
      for (const name of sizeLimits) check(name, size[name], context.request);
      // graphql's own comparison of fields does not end when fragments spread each other.
      if (size.hasFragmentCycle) setResult(validate(schema, documentAST, [NoFragmentCyclesRule]));
    },
    onExecute({ args, context: { request }, setResultAndStopExecution }) {
      const { schema, document, operationName, variableValues } = args;
      const operation = getOperationAST(document, operationName);
      if (!operation) return;
      const cost = costOfOperation(schema, document, operation)(variableValues ?? {});
      costs.set(request, cost);
      limitMetrics.observeCost(cost);
      try {
        check('cost', cost, request);
      } catch (error) {
        setResultAndStopExecution({ errors: [error as GraphQLError] });
        return;
      }
      if (request.headers.get(costHeader) !== 'report') return;
      return {
        onExecuteDone: ({ result, setResult }) => {
          if (Symbol.asyncIterator in result) return;
          const { max } = limits.cost;
          const told = { requested: cost, max: Number.isFinite(max) ? max : null };
          setResult({ ...result, extensions: { ...result.extensions, cost: told } });
        },
      };
    },
  };
}

const sizeLimits = ['tokens', 'depth', 'aliases', 'rootFields', 'directives', 'fieldPairs'] as const;

/** Documents come from the parser's cache as the same object. */
function createSizes(): (document: DocumentNode) => DocumentSize {
  const sizes = new WeakMap<DocumentNode, DocumentSize>();
  return (document) => {
    const known = sizes.get(document);
    if (known) return known;
    const size = measureDocument(document);
    sizes.set(document, size);
    return size;
  };
}

/** The parser calls itself for each bracket: about 1,600 of them are more than its stack holds. */
const parseShallow: typeof parse = (source, options) => {
  try {
    return stripParserState(parse(source, options));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new GraphQLError('Syntax Error: the document is nested too deeply to be read');
  }
};

function isTooManyTokens(result: unknown): boolean {
  return result instanceof GraphQLError && /Document contains more than \d+ tokens/.test(result.message);
}

function refusal(name: CheckedLimit, max: number, actual: number): GraphQLError {
  const error = tooComplex(nouns[name], max, actual);
  error.extensions.limit = name;
  return error;
}
