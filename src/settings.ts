/** Every setting of the server by its name in the environment: its form, its default, and what is allowed. */
import { z } from 'zod';
import {
  algorithm,
  bearerToken,
  commaList,
  inferenceUrl,
  limit,
  limitForm,
  milliseconds,
  origin,
  provider,
  purgeUrl,
  quota,
  quotaForm,
  switchSetting,
  webUrl,
} from './setting-kinds.ts';

export const maxWebProcesses = 64;

/** Descriptions are what errors print. */
export const settings = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'])
    .default('development')
    .describe('development, production or test'),
  HOST: z.string().min(1).default('localhost').describe('the address to listen on'),
  PORT: z.coerce.number().int().min(0).max(65535).default(4000).describe('a port, 0 to 65535 (0 picks a free one)'),
  METRICS_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe('a port of its own for /metrics, 1 to 65535'),
  WEB_PROCESSES: z
    .union([z.literal('auto'), z.coerce.number().int().min(1).max(maxWebProcesses)])
    .default(1)
    .describe(`processes that serve the port, 1 to ${maxWebProcesses}, or auto for one for each core`),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe('postgres://user:password@host:port/database; unset starts the embedded Postgres'),
  DATA_DIR: z.string().min(1).default('.data').describe('a folder for the embedded Postgres'),
  DATABASE_POOL: z.coerce.number().int().min(1).max(200).default(20).describe('connections of this process, 1 to 200'),
  DATABASE_ANALYTICS_POOL: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(4)
    .describe('connections of this process for analytics, beside DATABASE_POOL, 1 to 200'),
  DATABASE_QUEUE: z.coerce
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(1_000)
    .describe('statements that may wait for a connection, 0 to 100000'),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .optional()
    .describe(
      'redis://user:password@host:port/database; unset keeps rate limits and registered documents in this process',
    ),
  MODELS_DIR: z.string().min(1).default('models').describe('the folder of the ONNX model repository'),
  MODELS_POLL_MS: milliseconds(0, 3_600_000)
    .default(2_000)
    .describe('milliseconds between two looks for new and retired model versions, 0 to 3600000 (0: never)'),
  INFERENCE_URL: inferenceUrl
    .optional()
    .describe(
      'http(s) URL of a server that speaks the Open Inference Protocol v2, or unix:/path of its socket; unset runs models here',
    ),
  INFERENCE_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(4001)
    .describe('the port of "npm run inference", 0 to 65535 (0 picks a free one)'),
  EXECUTION_PROVIDERS: commaList(provider)
    .default(['cpu'])
    .describe('cuda, webgpu and cpu in the order to try, separated by commas'),
  INFERENCE_WORKERS: z.coerce.number().int().min(1).max(64).optional().describe('worker threads for models, 1 to 64'),
  PREDICTION_CACHE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 40)
    .default(32 * 1024 * 1024)
    .describe('bytes of predictions to keep, 0 to keep none'),
  RESPONSE_CACHE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 40)
    .optional()
    .describe('bytes of answers to keep, 0 to keep none; without REDIS_URL only where a single process writes'),
  CDN_PURGE_URLS: commaList(purgeUrl)
    .default([])
    .describe('edges to purge separated by commas: varnish+http://host:port, or the http(s) URL of a webhook'),
  CDN_PURGE_TOKEN: z
    .string()
    .regex(bearerToken)
    .optional()
    .describe('a bearer token for CDN_PURGE_URLS: letters, digits and -._~+/='),
  CDN_PURGE_DEADLINE_MS: milliseconds(0, 10_000)
    .default(250)
    .describe('milliseconds that a write waits for CDN_PURGE_URLS at most, 0 to 10000'),
  AUTH: z.literal('off').optional().describe('off: every request acts as the demo user'),
  AUTH_JWKS_URL: webUrl.optional().describe('http(s) URL of the issuer’s public keys (JWKS)'),
  AUTH_ISSUER: z.string().min(1).optional().describe('the iss claim of the tokens to accept'),
  AUTH_AUDIENCE: z.string().min(1).optional().describe('the aud claim of the tokens to accept'),
  AUTH_ALGORITHMS: commaList(algorithm)
    .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('signature algorithms separated by commas, of RS256, PS256, ES256 (also 384, 512), EdDSA'),
  CORS_ORIGINS: commaList(origin)
    .default([])
    .describe('origins of web pages that may call the API, separated by commas, such as https://app.example.com'),
  TRUSTED_PROXIES: z.coerce
    .number()
    .int()
    .min(0)
    .max(10)
    .default(0)
    .describe('how many proxies in front write X-Forwarded-For, 0 to 10'),
  REQUEST_TIMEOUT_MS: milliseconds(1, 600_000)
    .default(10_000)
    .describe('milliseconds a request may take, 1 to 600000; a client may ask for less by X-Request-Timeout-Ms'),
  MAX_IN_FLIGHT: z.coerce.number().int().min(1).max(1_000_000).default(2_000).describe('requests at work at a time'),
  MAX_EVENT_LOOP_DELAY_MS: milliseconds(1, 60_000)
    .default(1_000)
    .describe('milliseconds the event loop may be late before requests are shed, 1 to 60000'),
  DRAIN_DELAY_MS: milliseconds(0, 600_000)
    .optional()
    .describe('milliseconds between "not ready" and the end of listening on SIGTERM, 0 to 600000'),
  DRAIN_TIMEOUT_MS: milliseconds(0, 600_000)
    .default(10_000)
    .describe('milliseconds that work in flight may take to finish at the end, 0 to 600000'),
  LIMIT_BODY_BYTES: limit('2097152').describe(limitForm('bytes')),
  LIMIT_DOCUMENT_LENGTH: limit('262144').describe(limitForm('characters of a document')),
  LIMIT_TOKENS: limit('2000').describe(limitForm('tokens')),
  LIMIT_DEPTH: limit('16').describe(limitForm('levels')),
  LIMIT_ALIASES: limit('50').describe(limitForm('aliases')),
  LIMIT_ROOT_FIELDS: limit('20').describe(limitForm('root fields')),
  LIMIT_DIRECTIVES: limit('50').describe(limitForm('directives')),
  LIMIT_LIST_SIZE: limit('100').describe(`${limitForm('items of a page')}; never over 1000`),
  LIMIT_COST: limit('20000').describe(limitForm('points')),
  RATE_LIMIT_VIEWER: quota('600000/60').describe(quotaForm),
  RATE_LIMIT_ADDRESS: quota('1200000/60').describe(quotaForm),
  GRAPHIQL: switchSetting.optional().describe('on or off; on unless NODE_ENV=production'),
  INTROSPECTION: switchSetting.optional().describe('on or off; on unless NODE_ENV=production'),
  SUGGESTIONS: switchSetting
    .optional()
    .describe('on or off: whether errors suggest names; on unless NODE_ENV=production'),
  TRUSTED_DOCUMENTS: z
    .enum(['off', 'log', 'only'])
    .default('off')
    .describe('off, log to count and log operations that are not trusted, or only to refuse them'),
  TRUSTED_DOCUMENTS_PATH: z
    .string()
    .min(1)
    .default('trusted-documents.json')
    .describe('the file of trusted documents that "npm run persist" writes, or redis: for what it publishes'),
  DOCUMENT_REGISTRATION: z
    .enum(['everyone', 'viewers', 'off'])
    .default('everyone')
    .describe('everyone, viewers or off: who may make a document known by its hash'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent'),
});

export type Settings = z.output<typeof settings>;
