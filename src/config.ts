import { z } from 'zod';
import { StartupError } from './errors.ts';

const switchSetting = z.enum(['on', 'off']);

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
  MODELS_DIR: z.string().min(1).default('models').describe('the folder of the ONNX model repository'),
  INFERENCE_WORKERS: z.coerce.number().int().min(1).max(64).optional().describe('worker threads for models, 1 to 64'),
  AUTH: switchSetting.optional().describe('off: every request acts as the demo user'),
  GRAPHIQL: switchSetting.optional().describe('on or off; on unless NODE_ENV=production'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('trace, debug, info, warn, error, fatal or silent'),
});

export interface Config {
  environment: 'development' | 'production' | 'test';
  host: string;
  port: number;
  metricsPort: number | undefined;
  /** undefined: the embedded Postgres under dataDir. */
  databaseUrl: string | undefined;
  dataDir: string;
  databasePoolSize: number;
  modelsDir: string;
  inferenceWorkers: number | undefined;
  hasGraphiql: boolean;
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
    throw new StartupError(
      parsed.error.issues.map((issue) => describeIssue(String(issue.path[0]), environment)).join('\n'),
    );
  }
  const value = parsed.data;
  const isProduction = value.NODE_ENV === 'production';
  if (isProduction && value.AUTH !== 'off') {
    throw new StartupError(
      'AUTH is not set to off: with NODE_ENV=production the server refuses to serve everybody as the demo user unless AUTH=off says so on purpose',
    );
  }
  return {
    environment: value.NODE_ENV,
    host: value.HOST,
    port: value.PORT,
    metricsPort: value.METRICS_PORT,
    databaseUrl: value.DATABASE_URL,
    dataDir: value.DATA_DIR,
    databasePoolSize: value.DATABASE_POOL,
    modelsDir: value.MODELS_DIR,
    inferenceWorkers: value.INFERENCE_WORKERS,
    hasGraphiql: value.GRAPHIQL === undefined ? !isProduction : value.GRAPHIQL === 'on',
    logLevel: value.LOG_LEVEL,
  };
}

/** A value that may hold a password is not repeated in an error. */
function describeIssue(name: string, environment: NodeJS.ProcessEnv): string {
  const allowed = settings.shape[name as keyof typeof settings.shape]?.description ?? 'a valid value';
  const shown = name === 'DATABASE_URL' ? 'the value given' : JSON.stringify(environment[name] ?? '');
  return `${name} is ${shown}: expected ${allowed}`;
}
