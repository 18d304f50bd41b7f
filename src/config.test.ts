import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { readConfig } from './config.ts';

describe('settings', () => {
  test('have defaults, and an empty value counts as unset', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({
      port: 4000,
      databaseUrl: undefined,
      hasGraphiql: true,
      environment: 'development',
    });
  });

  test.each([
    [{ PORT: '70000' }, 'PORT is "70000": expected a port, 0 to 65535'],
    [{ PORT: 'http' }, 'PORT is "http": expected a port, 0 to 65535'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud": expected trace, debug, info, warn, error, fatal or silent'],
    [{ DATABASE_POOL: '0' }, 'DATABASE_POOL is "0": expected connections of this process, 1 to 200'],
    [{ MODELS_POLL_MS: '-1' }, 'MODELS_POLL_MS is "-1": expected milliseconds between two looks'],
    [{ INFERENCE_URL: 'triton:8000' }, 'INFERENCE_URL is the value given: expected http(s) URL of a server'],
    [
      { EXECUTION_PROVIDERS: 'cpu,gpu' },
      'EXECUTION_PROVIDERS is "cpu,gpu": expected cuda, webgpu and cpu in the order',
    ],
    [{ CDN_PURGE_URLS: 'varnish:6081' }, 'CDN_PURGE_URLS is the value given: expected edges to purge'],
    [{ CDN_PURGE_TOKEN: 'two words' }, 'CDN_PURGE_TOKEN is the value given: expected a bearer token'],
    [{ WEB_PROCESSES: '0' }, 'WEB_PROCESSES is "0": expected processes that serve the port, 1 to 64, or auto'],
    [{ WEB_PROCESSES: 'all' }, 'WEB_PROCESSES is "all": expected processes that serve the port, 1 to 64, or auto'],
    [{ WEB_PROCESSES: '2' }, 'WEB_PROCESSES is "2" without REDIS_URL: expected both, as 2 processes share'],
    [{ INFERENCE_URL: 'unix:socket' }, 'INFERENCE_URL is the value given: expected http(s) URL of a server'],
    [{ NODE_ENV: 'prod' }, 'NODE_ENV is "prod": expected development, production or test'],
  ])('%o is refused by name, value and what is allowed', (environment, message) => {
    expect(() => readConfig(environment)).toThrow(message);
  });

  test('answers are kept where a process hears of what others write', () => {
    const bytesOf = (given: NodeJS.ProcessEnv) => readConfig({ AUTH: 'off', ...given }).responseCacheBytes;
    expect(bytesOf({})).toBe(0);
    expect(bytesOf({ NODE_ENV: 'production', REDIS_URL: 'redis://cache:6379' })).toBeGreaterThan(0);
    expect(bytesOf({ RESPONSE_CACHE_BYTES: '1000' })).toBe(1_000);
    expect(bytesOf({ RESPONSE_CACHE_BYTES: '0', REDIS_URL: 'redis://cache:6379' })).toBe(0);
  });

  test('one process serves unless more are wanted, and as many as there are cores with auto', () => {
    const countOf = (given: NodeJS.ProcessEnv) => readConfig({ REDIS_URL: 'redis://cache', ...given }).webProcesses;
    expect(countOf({})).toBe(1);
    expect(countOf({ WEB_PROCESSES: '3' })).toBe(3);
    expect(countOf({ WEB_PROCESSES: 'auto' })).toBe(availableParallelism());
    expect(readConfig({ WEB_PROCESSES: '3' }, 'models').webProcesses).toBe(1);
  });

  test('lists are split at commas', () => {
    expect(readConfig({ EXECUTION_PROVIDERS: 'cuda, cpu' }).executionProviders).toEqual(['cuda', 'cpu']);
  });

  test('edges are told of writes where there are some', () => {
    expect(readConfig({})).toMatchObject({ cdnPurgeUrls: [], cdnPurgeToken: undefined, cdnPurgeDeadlineMs: 250 });
    const CDN_PURGE_URLS = 'varnish+http://10.0.0.1:6081, varnish+http://[::1]:6081,https://hook.example/purge?zone=1';
    expect(readConfig({ CDN_PURGE_URLS }).cdnPurgeUrls).toEqual(CDN_PURGE_URLS.split(/, ?/));
  });

  test('a wrong DATABASE_URL is not repeated, it may hold a password', () => {
    expect(() => readConfig({ DATABASE_URL: 'mysql://root:secret@db/x' })).toThrow(
      /^DATABASE_URL is the value given: expected postgres:/,
    );
    expect(() => readConfig({ DATABASE_URL: 'mysql://root:secret@db/x' })).not.toThrow(/secret/);
  });

  test('production refuses to serve everybody unless it is said on purpose', () => {
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow(/AUTH=off/);
    expect(readConfig({ NODE_ENV: 'production', AUTH: 'off' })).toMatchObject({ hasGraphiql: false });
    expect(readConfig({ NODE_ENV: 'production' }, 'models').auth).toEqual({ mode: 'off' });
  });
});
