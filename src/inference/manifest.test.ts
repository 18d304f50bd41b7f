import { describe, expect, test } from 'vitest';
import { parseManifest } from './manifest.ts';

const valid = {
  name: 'sentiment',
  version: '1-int8',
  task: 'SENTIMENT',
  precision: 'INT8',
  deterministic: true,
  inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'tokens'] }],
  outputs: [{ name: 'scores', type: 'float32', shape: ['batch', 3] }],
  licence: 'MIT',
  sha256: 'a'.repeat(64),
};
const parse = (changes: object) => parseManifest(JSON.stringify({ ...valid, ...changes }), 'manifest.json');

describe('parseManifest', () => {
  test('fills in defaults', () => {
    expect(parse({})).toEqual({ ...valid, maxBatchRows: 1024, options: {}, metrics: {}, trainingData: [] });
  });

  test('takes batch sizes up to maxBatchRows', () => {
    expect(parse({ batchSizes: [1, 4, 8], maxBatchRows: 8 })).toMatchObject({ batchSizes: [1, 4, 8] });
  });

  test.each([
    [{ task: 'SENTIMNT' }, /^manifest.json: task: .*expected one of "SENTIMENT".*, got "SENTIMNT"$/],
    [{ name: '../etc' }, /name: expected lower-case words.*got "..\/etc"$/],
    [{ name: 'Sentiment' }, /name: expected lower-case words/],
    [{ version: '..' }, /version: expected lower-case letters and digits.*got ".."$/],
    [{ version: 1 }, /version: .*expected string.*got 1$/],
    [{ inputs: [] }, /inputs: .*got \[\]$/],
    [
      { inputs: [{ name: 'ids', type: 'int32', shape: [8, 'tokens'] }] },
      /inputs.0.shape.0: .*expected "batch", got 8$/,
    ],
    [{ inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 0] }] }, /inputs.0.shape.1: .*expected .*got 0$/],
    [{ inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'batch'] }] }, /inputs.0.shape.1: .*got "batch"$/],
    [{ inputs: [{ name: 'ids', type: 'string', shape: ['batch'] }] }, /inputs.0.type: .*"float32".*got "string"$/],
    [{ inputs: [{ name: '__proto__', type: 'int32', shape: ['batch'] }] }, /inputs.0.name: .*got "__proto__"$/],
    [{ outputs: [...valid.outputs, ...valid.outputs] }, /outputs: expected different tensor names/],
    [{ sha256: 'abc' }, /sha256: expected 64 .*got "abc"$/],
    [{ metrics: { f1: 'high' } }, /metrics.f1: .*expected number.*got "high"$/],
    [{ deterministic: undefined }, /deterministic: .*expected boolean.*got nothing$/],
    [{ batchSizes: [] }, /batchSizes: .*got \[\]$/],
    [{ batchSizes: [8, 4], maxBatchRows: 4 }, /batchSizes: expected ascending sizes, got \[8,4\]$/],
    [{ batchSizes: [4, 8] }, /batchSizes: expected maxBatchRows as the last size, got \[4,8\]$/],
    [{ acuracy: 1 }, /"acuracy"/],
  ])('refuses %j', (changes, message) => {
    expect(() => parse(changes)).toThrow(message);
  });

  test.each(['', '{"name":', '[]', 'null'])('refuses the text %j in one line', (text) => {
    expect(() => parseManifest(text, 'manifest.json')).toThrow(/^manifest.json: [^\n]*expected [^\n]*got [^\n]*$/);
  });
});
