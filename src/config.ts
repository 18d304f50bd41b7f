import { availableParallelism } from 'node:os';
import { StartupError } from './errors.ts';
import type { Limit, Quota } from './setting-kinds.ts';
import { maxWebProcesses, type Settings, settings } from './settings.ts';

export type { Limit, Quota } from './setting-kinds.ts';

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
  /** 1: this process alone; more are started by it, and it serves nothing itself. */
  webProcesses: number;
  /** undefined: the embedded Postgres under dataDir. */
  databaseUrl: string | undefined;
  dataDir: string;
  databasePoolSize: number;
  analyticsPoolSize: number;
  databaseQueueSize: number;
  redisUrl: string | undefined;
  modelsDir: string;
  /** 0: never. */
  modelsPollMs: number;
  /** undefined: models run in this process. */
  inferenceUrl: string | undefined;
  inferencePort: number;
  executionProviders: string[];
  inferenceWorkers: number | undefined;
  /** 0: none are kept. */
  predictionCacheBytes: number;
  /** 0: none are kept. */
  responseCacheBytes: number;
  /** Edges to be told of writes. */
  cdnPurgeUrls: string[];
  cdnPurgeToken: string | undefined;
  cdnPurgeDeadlineMs: number;
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
  /** What happens to operations that are not in the manifest. */
  trustedDocuments: 'off' | 'log' | 'only';
  trustedDocumentsPath: string;
  /** Who may make documents known by their hash. */
  documentRegistration: 'everyone' | 'viewers' | 'off';
  logLevel: string;
}

/** Without Redis none: other processes could write, and this one would not hear of it. */
/** RSS stays below 512 MiB with all of it full (bench endurance). */
export const defaultCacheBytes = 48 * 1024 * 1024;

/**
 * Reads and checks the settings: the only reader of the environment. An empty value counts as unset. Who serves models
 * only has nobody to authenticate.
 * @throws StartupError with one line per wrong setting: its name, its value and what is allowed.
 */
export function readConfig(
  environment: NodeJS.ProcessEnv = process.env,
  serves: 'graphql' | 'models' = 'graphql',
): Config {
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
    webProcesses: serves === 'graphql' ? readWebProcesses(value) : 1,
    databaseUrl: value.DATABASE_URL,
    dataDir: value.DATA_DIR,
    databasePoolSize: value.DATABASE_POOL,
    analyticsPoolSize: value.DATABASE_ANALYTICS_POOL,
    databaseQueueSize: value.DATABASE_QUEUE,
    redisUrl: value.REDIS_URL,
    modelsDir: value.MODELS_DIR,
    modelsPollMs: value.MODELS_POLL_MS,
    inferenceUrl: value.INFERENCE_URL,
    inferencePort: value.INFERENCE_PORT,
    executionProviders: value.EXECUTION_PROVIDERS,
    inferenceWorkers: value.INFERENCE_WORKERS,
    predictionCacheBytes: value.PREDICTION_CACHE_BYTES,
    responseCacheBytes: value.RESPONSE_CACHE_BYTES ?? (value.REDIS_URL === undefined ? 0 : defaultCacheBytes),
    cdnPurgeUrls: value.CDN_PURGE_URLS,
    cdnPurgeToken: value.CDN_PURGE_TOKEN,
    cdnPurgeDeadlineMs: value.CDN_PURGE_DEADLINE_MS,
    auth: serves === 'graphql' ? readAuth(value) : { mode: 'off' },
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
    trustedDocuments: value.TRUSTED_DOCUMENTS,
    trustedDocumentsPath: value.TRUSTED_DOCUMENTS_PATH,
    documentRegistration: value.DOCUMENT_REGISTRATION,
    logLevel: value.LOG_LEVEL,
  };
}

/** What processes must agree on they agree on through Redis. */
function readWebProcesses({ WEB_PROCESSES: setting, REDIS_URL: redisUrl }: Settings): number {
  const count = setting === 'auto' ? Math.min(availableParallelism(), maxWebProcesses) : setting;
  if (count === 1 || redisUrl !== undefined) return count;
  throw new StartupError(
    `WEB_PROCESSES is "${setting}" without REDIS_URL: expected both, as ${count} processes share quotas, answers and registered documents through Redis`,
  );
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

/** Values that are not repeated. */
const secrets = new Set(['DATABASE_URL', 'REDIS_URL', 'INFERENCE_URL', 'CDN_PURGE_URLS', 'CDN_PURGE_TOKEN']);

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
  const isSecret = secrets.has(name);
  const shown = isSecret ? 'the value given' : JSON.stringify(environment[name] ?? '');
  return `${name} is ${shown}: expected ${allowed}`;
}
