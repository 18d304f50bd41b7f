import { z } from 'zod';
import { StartupError } from './errors.ts';
import {
  algorithm,
  commaList,
  type Limit,
  limit,
  limitForm,
  milliseconds,
  origin,
  type Quota,
  quota,
  quotaForm,
  switchSetting,
  webUrl,
} from './setting-kinds.ts';

export type { Limit, Quota } from './setting-kinds.ts';

/**
 * Every setting of the server, the only place that reads the environment.
 * An empty value counts as unset. Descriptions are what README and errors print.
 */
const settings = z.object({
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
    .describe('redis://user:password@host:port/database; unset keeps rate limits in this process'),
  MODELS_DIR: z.string().min(1).default('models').describe('the folder of the ONNX model repository'),
  INFERENCE_WORKERS: z.coerce.number().int().min(1).max(64).optional().describe('worker threads for models, 1 to 64'),
  INFERENCE_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(4001)
    .describe('a port for npm run inference, 0 to 65535 (0 picks a free one)'),
  INFERENCE_URL: webUrl
    .optional()
    .describe('http(s) URL of an inference server; unset runs the models in this process'),
  PREDICTION_CACHE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 40)
    .default(32 * 1024 * 1024)
    .describe('bytes of predictions to keep, 0 to keep none'),
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
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent'),
});

type Settings = z.output<typeof settings>;

/** Limits of a document, checked before it runs. */
export interface Limits {
  bodyBytes: Limit;
  /** Characters, as comments are no tokens. */
  documentLength: Limit;
  tokens: Limit;
  depth: Limit;
  aliases: Limit;
  rootFields: Limit;
  directives: Limit;
  /** Items of one page; 1000 at most whatever it says. */
  listSize: Limit;
  cost: Limit;
}

/** null: off. */
export interface RateLimits {
  viewer: Quota | null;
  address: Quota | null;
}

/** Whose tokens are accepted. */
export interface TokenIssuer {
  jwksUrl: string;
  issuer: string;
  audience: string;
  algorithms: string[];
}

/** `development`: the demo user, or a token by `npm run token`; `off`: the demo user, whatever the request says. */
export type AuthConfig = { mode: 'off' } | { mode: 'development' } | ({ mode: 'tokens' } & TokenIssuer);

export interface Config {
  environment: 'development' | 'production' | 'test';
  host: string;
  port: number;
  metricsPort: number | undefined;
  /** undefined: the embedded Postgres under dataDir. */
  databaseUrl: string | undefined;
  dataDir: string;
  databasePoolSize: number;
  analyticsPoolSize: number;
  databaseQueueSize: number;
  redisUrl: string | undefined;
  modelsDir: string;
  inferenceWorkers: number | undefined;
  /** Of `npm run inference`. */
  inferencePort: number;
  /** undefined: models run in this process. */
  inferenceUrl: string | undefined;
  /** 0: none are kept. */
  predictionCacheBytes: number;
  auth: AuthConfig;
  corsOrigins: string[];
  trustedProxies: number;
  requestTimeoutMs: number;
  maxInFlight: number;
  maxEventLoopDelayMs: number;
  drainDelayMs: number;
  drainTimeoutMs: number;
  limits: Limits;
  rateLimits: RateLimits;
  hasGraphiql: boolean;
  hasIntrospection: boolean;
  hasSuggestions: boolean;
  logLevel: string;
}

/**
 * Reads and checks the settings.
 * @throws StartupError with one line per wrong setting: its name, its value and what is allowed.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settings.safeParse(given);
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
    throw new StartupError([...names].map((name) => describeIssue(name, environment)).join('\n'));
  }
  const value = parsed.data;
  const isOpen = value.NODE_ENV !== 'production';
  const isOn = (setting: 'on' | 'off' | undefined) => (setting === undefined ? isOpen : setting === 'on');
  return {
    environment: value.NODE_ENV,
    host: value.HOST,
    port: value.PORT,
    metricsPort: value.METRICS_PORT,
    databaseUrl: value.DATABASE_URL,
    dataDir: value.DATA_DIR,
    databasePoolSize: value.DATABASE_POOL,
    analyticsPoolSize: value.DATABASE_ANALYTICS_POOL,
    databaseQueueSize: value.DATABASE_QUEUE,
    redisUrl: value.REDIS_URL,
    modelsDir: value.MODELS_DIR,
    inferenceWorkers: value.INFERENCE_WORKERS,
    inferencePort: value.INFERENCE_PORT,
    inferenceUrl: value.INFERENCE_URL,
    predictionCacheBytes: value.PREDICTION_CACHE_BYTES,
    auth: readAuth(value),
    corsOrigins: value.CORS_ORIGINS,
    trustedProxies: value.TRUSTED_PROXIES,
    requestTimeoutMs: value.REQUEST_TIMEOUT_MS,
    maxInFlight: value.MAX_IN_FLIGHT,
    maxEventLoopDelayMs: value.MAX_EVENT_LOOP_DELAY_MS,
    drainDelayMs: value.DRAIN_DELAY_MS ?? (isOpen ? 0 : 5_000),
    drainTimeoutMs: value.DRAIN_TIMEOUT_MS,
    limits: readLimits(value),
    rateLimits: { viewer: value.RATE_LIMIT_VIEWER, address: value.RATE_LIMIT_ADDRESS },
    hasGraphiql: isOn(value.GRAPHIQL),
    hasIntrospection: isOn(value.INTROSPECTION),
    hasSuggestions: isOn(value.SUGGESTIONS),
    logLevel: value.LOG_LEVEL,
  };
}

function readLimits(value: Settings): Limits {
  return {
    bodyBytes: value.LIMIT_BODY_BYTES,
    documentLength: value.LIMIT_DOCUMENT_LENGTH,
    tokens: value.LIMIT_TOKENS,
    depth: value.LIMIT_DEPTH,
    aliases: value.LIMIT_ALIASES,
    rootFields: value.LIMIT_ROOT_FIELDS,
    directives: value.LIMIT_DIRECTIVES,
    listSize: value.LIMIT_LIST_SIZE,
    cost: value.LIMIT_COST,
  };
}

/** Half an issuer is a mistake, and no issuer in production needs saying so. */
function readAuth(value: Settings): AuthConfig {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = value;
  const isIssuerGiven = jwksUrl !== undefined || issuer !== undefined || audience !== undefined;
  if (value.AUTH === 'off') {
    if (isIssuerGiven) throw new StartupError('AUTH is "off" beside AUTH_*: expected one of the two');
    return { mode: 'off' };
  }
  if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
    return { mode: 'tokens', jwksUrl, issuer, audience, algorithms: value.AUTH_ALGORITHMS };
  }
  if (isIssuerGiven) {
    throw new StartupError('AUTH_JWKS_URL, AUTH_ISSUER and AUTH_AUDIENCE: expected all three or none of them');
  }
  if (value.NODE_ENV === 'production') {
    throw new StartupError(
      'AUTH_JWKS_URL, AUTH_ISSUER and AUTH_AUDIENCE are not set: with NODE_ENV=production the server refuses to serve everybody as the demo user unless AUTH=off says so on purpose',
    );
  }
  return { mode: 'development' };
}

/** A value that may hold a password is not repeated in an error. */
function describeIssue(name: string, environment: NodeJS.ProcessEnv): string {
  const allowed = settings.shape[name as keyof typeof settings.shape]?.description ?? 'a valid value';
  const isSecret = name === 'DATABASE_URL' || name === 'REDIS_URL';
  const shown = isSecret ? 'the value given' : JSON.stringify(environment[name] ?? '');
  return `${name} is ${shown}: expected ${allowed}`;
}
