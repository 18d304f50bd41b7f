import { expect, test } from 'vitest';
import { messageSurplus, parseScale } from './scale.ts';

test('keeps the proportions of the benchmark', () => {
  expect(parseScale('20000')).toEqual({
    features: 20_000,
    users: 2_000,
    testCases: 100_000,
    deployments: 40_000,
    conversations: 20_000,
    messages: 400_000,
    messagesPerConversation: 20,
  });
  expect(parseScale('1000000')).toMatchObject({ users: 20_000, testCases: 5_000_000, messages: 10_000_000 });
  expect(parseScale('1')).toMatchObject({ features: 1, users: 20 });
  expect(parseScale('100000', '7')).toMatchObject({ messages: 700_000 });
});

test('varies the length of conversations around any mean', () => {
  for (const mean of [1, 2, 3, 7, 10, 20, 199]) {
    const surplus = messageSurplus(mean);
    expect(surplus.reduce((sum, count) => sum + count, 0)).toBe(0);
    expect(Math.min(...surplus) + mean).toBeGreaterThan(0);
  }
});

test.each([
  ['abc', '--scale is "abc": expected demo or a number of features, 1 to 10,000,000'],
  ['0', '--scale is "0": expected demo or a number of features, 1 to 10,000,000'],
  ['-5', '--scale is "-5": expected demo or a number of features, 1 to 10,000,000'],
  ['1e3', '--scale is "1e3": expected demo or a number of features, 1 to 10,000,000'],
  ['10000001', '--scale is "10000001": expected demo or a number of features, 1 to 10,000,000'],
])('refuses --scale %s', (value, message) => {
  expect(() => parseScale(value)).toThrow(message);
});

test('refuses other options that make no sense', () => {
  const expected = '--messages-per-conversation is "0": expected a number, 1 to 200';
  expect(() => parseScale('10', '0')).toThrow(expected);
  expect(() => parseScale('demo', '10')).toThrow(
    '--messages-per-conversation needs a --scale with a number of features',
  );
});
