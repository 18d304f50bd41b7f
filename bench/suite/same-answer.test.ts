import { expect, test } from 'vitest';
import { isSameAnswer } from './same-answer.ts';

const answer = '{"data":{"a":{"id":"x1","score":0.91234567,"total":12},"b":[-1.5,2.25]}}';

test.each([
  ['the same text', answer, true],
  ['a score that differs in its last digits', answer.replace('0.91234567', '0.9123449'), true],
  ['a score in another notation', answer.replace('-1.5', '-1.50001'), true],
  ['another score', answer.replace('0.91234567', '0.9133'), false],
  ['another whole number', answer.replace('12}', '13}'), false],
  ['another text', answer.replace('x1', 'x2'), false],
  ['a number less', answer.replace(',2.25', ''), false],
  ['nothing', '', false],
])('%s', (_what, got, isSame) => {
  expect(isSameAnswer(got, answer)).toBe(isSame);
});
