import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { type Context, createContext, type Dependencies } from '../context.ts';
import { schema } from '../schema/index.ts';
import { deadlineOf } from './deadline.ts';
import { exampleOperations } from './example-operations.ts';
import { renderGraphiql } from './graphiql.ts';
import { requestIdOf, useRequestId } from './request-id.ts';
import { maskError, useErrorCodes } from './use-error-codes.ts';
import { useJsonOnly } from './use-json-only.ts';
import { useOperationMetrics } from './use-operation-metrics.ts';

/** What the settings say of requests. */
export type AppSettings = Pick<
  Config,
  | 'corsOrigins'
  | 'hasGraphiql'
  | 'hasIntrospection'
  | 'hasSuggestions'
  | 'limits'
  | 'rateLimits'
  | 'requestTimeoutMs'
  | 'trustedProxies'
>;

export interface AppOptions {
  dependencies: Dependencies;
  log: Logger;
  registry: Registry;
  settings: AppSettings;
}

export type App = ReturnType<typeof createApp>;

const maxBodyBytes = 8 * 1024 * 1024;

/** The GraphQL server as a request handler: `fetch` in tests, a listener of node:http in the process. */
export function createApp({ dependencies, log, registry, settings }: AppOptions) {
  const examples = exampleOperations(new Date());
  const knownOperations = new Set(examples.map((example) => example.name));
  return createYoga<Record<string, unknown>, Context>({
    schema,
    context: ({ request }) =>
      createContext(dependencies, request, { requestId: requestIdOf(request), signal: deadlineOf(request) }),
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
    maxRequestBodySize: maxBodyBytes,
    maskedErrors: { maskError },
    logging: false,
    // In the order of a request's life: its id, what bodies are read, what is counted, and last what leaves as an error.
    plugins: [useRequestId(), useJsonOnly(), useOperationMetrics(registry, knownOperations), useErrorCodes(log)],
  });
}
