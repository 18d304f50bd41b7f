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
    [{ NODE_ENV: 'prod' }, 'NODE_ENV is "prod": expected development, production or test'],
  ])('%o is refused by name, value and what is allowed', (environment, message) => {
    expect(() => readConfig(environment)).toThrow(message);
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
  });
});
