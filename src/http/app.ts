import type { RequestListener } from 'node:http';
import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config.ts';
import { type Context, createContext, type Dependencies } from '../context.ts';
import { type CompileOperation, compileOperation } from '../execution/compile-operation.ts';
import type { Redis } from '../redis/client.ts';
import { schema } from '../schema/index.ts';
import { deadlineOf, defaultGraceMs, remainingMsOf, useDeadline } from './deadline.ts';
import { DirectPath } from './direct-path/direct-path.ts';
import { createDirectCounts } from './direct-path/direct-path-counts.ts';
import { useDirectPath } from './direct-path/use-direct-path.ts';
import { useCompression } from './encoding/use-compression.ts';
import { exampleOperationNames, exampleOperations } from './example-operations.ts';
import { renderGraphiql } from './graphiql.ts';
import type { HitPath } from './hit-path.ts';
import { createKeptOperations } from './kept-operations.ts';
import { createDocumentCaches } from './limits/document-cache.ts';
import { createLimitMetrics } from './limits/limit-metrics.ts';
import { createListSizeCheck } from './limits/list-size.ts';
import { costOfRequest, useLimits } from './limits/use-limits.ts';
import { createOperationNames, type OperationNames } from './operation-names.ts';
import type { RateLimiter } from './rate-limit/rate-limiter.ts';
import { useRateLimit } from './rate-limit/use-rate-limit.ts';
import { requestIdOf, useRequestId } from './request-id.ts';
import { usePagePolicy } from './security-headers.ts';
import { createRegisteredDocuments } from './trusted-documents/registered-documents.ts';
import { createSharedDocuments } from './trusted-documents/shared-documents.ts';
import { noTrustedDocuments, type TrustedDocuments } from './trusted-documents/trusted-documents.ts';
import { isRegistering, useTrustedDocuments } from './trusted-documents/use-trusted-documents.ts';
import { useAnswerCache } from './use-answer-cache.ts';
import { maskError, useErrorCodes } from './use-error-codes.ts';
import { createOperationTimes, useOperationMetrics } from './use-operation-metrics.ts';
import { useRequestLog } from './use-request-log.ts';
import { useRequestParams } from './use-request-params.ts';
import { useSemanticCacheReport, wantsNewAnswer } from './use-semantic-cache-report.ts';
import { useIntrospectionSwitch, useValidationBounds } from './use-validation-bounds.ts';
import type { PublicUses } from './warm-up/public-uses.ts';

/** What the settings say of requests. */
export type AppSettings = Pick<
  Config,
  | 'corsOrigins'
  | 'documentRegistration'
  | 'hasGraphiql'
  | 'hasIntrospection'
  | 'hasSuggestions'
  | 'limits'
  | 'rateLimits'
  | 'requestTimeoutMs'
  | 'trustedDocuments'
  | 'trustedProxies'
>;

export interface AppOptions {
  dependencies: Dependencies;
  log: Logger;
  registry: Registry;
  settings: AppSettings;
  /** Default: every client may ask as much as it wants. */
  rateLimiter?: RateLimiter;
  /** Default: every answer is made anew. */
  answers?: { cache: AnswerCache; hitPath: HitPath; publicUses?: PublicUses | null } | undefined;
  /** Default: none. */
  trustedDocuments?: TrustedDocuments;
  /** Through which processes share the documents that clients register. Default: each has its own. */
  redis?: Redis | null;
  /** Compiles operations that are asked for again. Default: compileOperation. */
  compile?: CompileOperation;
  /** The names that metrics know. Default: those of the examples, and of trusted documents. */
  operationNames?: OperationNames;
}

/** The GraphQL server. */
export interface App {
  /** For node:http. */
  readonly handler: RequestListener;
  /** For who has no socket. */
  fetch(url: string, init: RequestInit, context?: object): Response | Promise<Response>;
  /** For the listener, before the handler. */
  readonly directPath: DirectPath;
}

/** What the ways to an answer share. */
type Parts = ReturnType<typeof createParts>;

export function createApp(options: AppOptions): App {
  const parts = createParts(options);
  const directPath = new DirectPath(parts);
  const yoga = createHandler(options, parts, directPath);
  return { handler: yoga, fetch: (url, init, context = {}) => yoga.fetch(url, init, context), directPath };
}

function createParts(options: AppOptions) {
  const { dependencies, log, registry, settings, rateLimiter, answers, redis } = options;
  const { limits, requestTimeoutMs, trustedDocuments: mode, documentRegistration: registration } = settings;
  const { trustedDocuments: documents = noTrustedDocuments, compile = compileOperation } = options;
  const { operationNames = createOperationNames(exampleOperationNames) } = options;
  const limitMetrics = createLimitMetrics(registry);
  const shared = redis ? createSharedDocuments(redis) : undefined;
  const keptOperationOf = answers && createKeptOperations({ ...answers, knownOperations: operationNames });
  return {
    dependencies,
    log,
    rateLimiter,
    trustedProxies: settings.trustedProxies,
    requestTimeoutMs,
    graceMs: defaultGraceMs,
    operationNames,
    limitMetrics,
    listSizeCheck: createListSizeCheck({ limit: limits.listSize, limitMetrics, log }),
    maxCost: limits.cost.max,
    maxBodyBytes: limits.bodyBytes.max,
    observe: createOperationTimes(registry, operationNames),
    counts: createDirectCounts(registry),
    documents,
    mode,
    registered: isRegistering({ mode, registration }) ? createRegisteredDocuments({ shared }) : null,
    answers: answers && keptOperationOf && { ...answers, keptOperationOf },
    keptOperationOf,
    compile,
  };
}

function createHandler({ dependencies, log, registry, settings }: AppOptions, parts: Parts, directPath: DirectPath) {
  const examples = exampleOperations(new Date());
  const { listSizeCheck } = parts;
  return createYoga<Record<string, unknown>, Context>({
    schema,
    context: ({ request }) =>
      createContext(dependencies, request, {
        requestId: requestIdOf(request),
        signal: deadlineOf(request),
        remainingMs: () => remainingMsOf(request),
        checkListSize: listSizeCheck(requestIdOf(request)),
        wantsNew: wantsNewAnswer(request.headers.get('cache-control')),
      }),
    graphqlEndpoint: '/graphql',
    landingPage: false,
    // GraphiQL comes out of this process, so it works without any network.
    graphiql: settings.hasGraphiql
      ? {
          title: 'Tributary',
          defaultTabs: examples.map(({ query }) => ({ query })),
          credentials: 'same-origin',
          defaultEditorToolsVisibility: false,
        }
      : false,
    renderGraphiQL: renderGraphiql,
    multipart: false,
    cors: false,
    // Of the plugin that reads the body.
    maxRequestBodySize: false,
    // The listener has paths for health; Yoga's would match the end of any query string. No URL ends in a blank.
    healthCheckEndpoint: ' ',
    parserAndValidationCache: createDocumentCaches(),
    maskedErrors: { maskError },
    logging: false,
    plugins: createPlugins({ log, registry, settings }, parts, directPath),
  });
}

/** In the order of a request's life: its id, its time, what it asks, what is counted, and last what leaves as an error. */
function createPlugins(
  { log, registry, settings }: Pick<AppOptions, 'log' | 'registry' | 'settings'>,
  parts: Parts,
  directPath: DirectPath,
) {
  const { limits } = settings;
  const { rateLimiter, limitMetrics, operationNames, documents, mode, registered, answers } = parts;
  const registration = settings.documentRegistration;
  return [
    useRequestId(),
    useRequestLog(log),
    useDeadline(settings),
    useRequestParams({ bodyBytes: limits.bodyBytes, limitMetrics, log }),
    useOperationMetrics(registry, operationNames),
    useValidationBounds(settings),
    useIntrospectionSwitch(settings),
    useLimits({ limits, limitMetrics, log }),
    ...(rateLimiter ? [useRateLimit({ ...settings, rateLimiter, costOf: costOfRequest })] : []),
    useTrustedDocuments({
      documents,
      mode,
      registration,
      ...(registered && { registered }),
      operationNames,
      log,
      registry,
    }),
    ...(answers ? [useAnswerCache({ ...answers, costOf: costOfRequest })] : []),
    useDirectPath(directPath),
    useSemanticCacheReport(),
    useErrorCodes(log),
    usePagePolicy(),
    useCompression(),
  ];
}
