import type { GraphQLError } from 'graphql';
import { describe, expect, test } from 'vitest';
import {
  type InferenceEngine,
  InferenceError,
  type InferenceErrorKind,
  type LoadedVersion,
  type VersionFailure,
} from '../../inference/engine.ts';
import { listModels, toPublicError } from './models.ts';
import { defaultVersion } from './version-choice.ts';

function loaded(version: string, precision: string, executionProvider = 'cpu', name = 'm'): LoadedVersion {
  return { name, version, precision, executionProvider, task: 'TENSOR' } as LoadedVersion;
}

describe('defaultVersion', () => {
  test.each([
    ['the newest', [loaded('9', 'FP32'), loaded('10', 'FP32')], '10'],
    ['full precision before a newer variant', [loaded('1', 'FP32'), loaded('2-int8', 'INT8')], '1'],
    ['the newest variant where there is nothing else', [loaded('1', 'INT8'), loaded('2', 'FP16')], '2'],
    ['no FP16 variant on a CPU', [loaded('1', 'FP32'), loaded('1-fp16', 'FP16')], '1'],
    ['the FP16 variant on a GPU', [loaded('1', 'FP32', 'cuda'), loaded('1-fp16', 'FP16', 'cuda')], '1-fp16'],
    ['no FP16 variant of an older version', [loaded('1-fp16', 'FP16', 'webgpu'), loaded('2', 'FP32', 'webgpu')], '2'],
    ['no INT8 variant on a GPU', [loaded('1', 'FP32', 'cuda'), loaded('1-int8', 'INT8', 'cuda')], '1'],
  ])('is %s', (_label, versions, expected) => {
    expect(defaultVersion(versions).version).toBe(expected);
    expect(defaultVersion(versions.toReversed()).version).toBe(expected);
  });
});

test('models are listed by name, with what failed where the task is known', () => {
  const failure = (name: string, version: string, task: VersionFailure['task']) => ({
    name,
    version,
    task,
    error: 'x',
  });
  const failures = [failure('m', '2', null), failure('lost', '1', null), failure('a', '1', 'SENTIMENT')];
  const engine = { versions: () => [loaded('1', 'FP32')], failures: () => failures };
  expect(listModels(engine as unknown as InferenceEngine)).toEqual([
    { name: 'a', task: 'SENTIMENT', versions: [], failedVersions: [failures[2]] },
    { name: 'm', task: 'TENSOR', versions: [expect.objectContaining({ version: '1' })], failedVersions: [failures[0]] },
  ]);
});

test('clients are told what they can do about a prediction that failed', () => {
  const codeOf = (kind: InferenceErrorKind) =>
    (toPublicError(new InferenceError(kind, 'x')) as GraphQLError).extensions?.code;
  expect([codeOf('overloaded'), codeOf('unavailable')]).toEqual(['OVERLOADED', 'OVERLOADED']);
  expect([codeOf('timeout'), codeOf('invalid-input'), codeOf('failed')]).toEqual([
    'TIMEOUT',
    'BAD_USER_INPUT',
    undefined,
  ]);
});
