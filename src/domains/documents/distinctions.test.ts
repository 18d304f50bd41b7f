import { expect, test } from 'vitest';
import { listDistinctions } from './distinctions.ts';

test.each([
  ['Please cancel my order', 'Please do not cancel my order'],
  ['I can pay', "I can't pay"],
  ['Card from 2024', 'Card from 2025'],
  ['Move 1.5 to 2', 'Move 15 to 2'],
  ['From 5 to 9', 'From 9 to 5'],
  ['refund bank', 'refund -bank'],
  ['bank account', '"bank account"'],
  ['"bank account"', '"account bank"'],
  ['card pin', 'card or pin'],
])('%s is not %s', (first, second) => {
  expect(listDistinctions(first)).not.toEqual(listDistinctions(second));
});

test.each([
  ['Where is my card?', 'where is the CARD'],
  ["I can't pay", 'I cannot pay!'],
  ['top-up by 2 pm', 'By 2 PM - a top up'],
])('%s may be %s', (first, second) => {
  expect(listDistinctions(first)).toEqual(listDistinctions(second));
});
