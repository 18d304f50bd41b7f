import { expect, test } from 'vitest';
import { readAnswer } from '../suite/connection.ts';
import { outcomeOf } from './outcome.ts';

function answer(status: string, headers: string, body: object) {
  const text = JSON.stringify(body);
  return readAnswer(Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${text.length}\r\n\r\n${text}`));
}

const overloaded = { errors: [{ message: 'later', extensions: { code: 'OVERLOADED' } }] };

test('a refusal is one only with the time to try again', () => {
  expect(outcomeOf(answer('503 Service Unavailable', 'Retry-After: 1\r\n', overloaded))).toBe('shed');
  expect(outcomeOf(answer('200 OK', 'Retry-After: 1\r\n', { data: null, ...overloaded }))).toBe('shed');
  expect(outcomeOf(answer('503 Service Unavailable', '', overloaded))).toBe('OVERLOADED without Retry-After');
});

test('what failed is told by its code, or by its status', () => {
  const timeout = { errors: [{ message: 'late', extensions: { code: 'TIMEOUT' } }] };
  expect(outcomeOf(answer('504 Gateway Timeout', '', timeout))).toBe('TIMEOUT');
  expect(outcomeOf(answer('200 OK', '', { data: { feature: null }, ...timeout }))).toBe('TIMEOUT');
  expect(outcomeOf(answer('502 Bad Gateway', '', {}))).toBe('status 502');
  expect(outcomeOf(null)).toBe('lost');
});

test('text of the data is no error', () => {
  expect(outcomeOf(answer('200 OK', '', { data: { name: '"errors":[{"code":"TIMEOUT"}]' } }))).toBe('ok');
});
