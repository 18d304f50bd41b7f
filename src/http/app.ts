import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config.ts';
import { type Context, createContext, type Dependencies } from '../context.ts';
import type { Redis } from '../redis/client.ts';
import { schema } from '../schema/index.ts';
import { deadlineOf, remainingMsOf, useDeadline } from './deadline.ts';
import { useCompression } from './encoding/use-compression.ts';
import { exampleOperationNames, exampleOperations } from './example-operations.ts';
import { renderGraphiql } from './graphiql.ts';
import type { HitPath } from './hit-path.ts';
import { createDocumentCaches } from './limits/document-cache.ts';
import { createLimitMetrics } from './limits/limit-metrics.ts';
import { createListSizeCheck } from './limits/list-size.ts';
import { costOfRequest, useLimits } from './limits/use-limits.ts';
import { createOperationNames, type OperationNames } from './operation-names.ts';
import type { RateLimiter } from './rate-limit/rate-limiter.ts';
import { useRateLimit } from './rate-limit/use-rate-limit.ts';
import { requestIdOf, useRequestId } from './request-id.ts';
import { usePagePolicy } from './security-headers.ts';
import { createSharedDocuments } from './trusted-documents/shared-documents.ts';
import { noTrustedDocuments, type TrustedDocuments } from './trusted-documents/trusted-documents.ts';
import { useTrustedDocuments } from './trusted-documents/use-trusted-documents.ts';
import { useAnswerCache } from './use-answer-cache.ts';
import { maskError, useErrorCodes } from './use-error-codes.ts';
import { useOperationMetrics } from './use-operation-metrics.ts';
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
  /** The names that metrics know. Default: those of the examples, and of trusted documents. */
  operationNames?: OperationNames;
}

export type App = ReturnType<typeof createApp>;

/** The GraphQL server as a request handler: `fetch` in tests, a listener of node:http in the process. */
export function createApp({
  dependencies,
  log,
  registry,
  settings,
  rateLimiter,
  trustedDocuments = noTrustedDocuments,
  answers,
  redis = null,
  operationNames = createOperationNames(exampleOperationNames),
}: AppOptions) {
  const examples = exampleOperations(new Date());
  const limitMetrics = createLimitMetrics(registry);
  const listSizeCheck = createListSizeCheck({ limit: settings.limits.listSize, limitMetrics, log });
  return createYoga<Record<string, unknown>, Context>({
    schema,
    context: ({ request }) =>
      createContext(dependencies, request, {
        requestId: requestIdOf(request),
        signal: deadlineOf(request),
        remainingMs: () => remainingMsOf(request),
        checkListSize: listSizeCheck(request),
        wantsNew: wantsNewAnswer(request),
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
    // In the order of a request's life: its id, its time, what it asks, what is counted, and last what leaves as an error.
    plugins: [
      useRequestId(),
      useRequestLog(log),
      useDeadline(settings),
      useRequestParams({
        bodyBytes: settings.limits.bodyBytes,
        bodyOf: answers && ((request) => answers.hitPath.bodyOf(request)),
        limitMetrics,
        log,
      }),
      useOperationMetrics(registry, operationNames),
      useValidationBounds(settings),
      useIntrospectionSwitch(settings),
      useLimits({ limits: settings.limits, limitMetrics, log, registry }),
      ...(rateLimiter ? [useRateLimit({ ...settings, rateLimiter, costOf: costOfRequest })] : []),
      useTrustedDocuments({
        documents: trustedDocuments,
        mode: settings.trustedDocuments,
        registration: settings.documentRegistration,
        registered: { shared: redis ? createSharedDocuments(redis) : undefined },
        operationNames,
        log,
        registry,
      }),
      ...(answers ? [useAnswerCache({ ...answers, costOf: costOfRequest, knownOperations: operationNames })] : []),
      useSemanticCacheReport(),
      useErrorCodes(log),
      usePagePolicy(),
      useCompression(),
    ],
  });
}
