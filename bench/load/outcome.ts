import type { Answer } from '../suite/connection.ts';
import type { Outcome } from './run-report.ts';

// No text of ours can hold it: a quote inside of a JSON text is escaped.
const errorsKey = Buffer.from('"errors":[');

/** How a request ended; null: its connection did. */
export function outcomeOf(answer: Answer | null): Outcome {
  if (answer === null) return 'lost';
  const hasErrors = answer.holds(errorsKey);
  if (answer.status === 200 && !hasErrors) return 'ok';
  const code = hasErrors ? /"code":"(\w+)"/.exec(answer.body())?.[1] : undefined;
  if (code !== 'OVERLOADED') return code ?? `status ${answer.status}`;
  return answer.head.includes('\r\nretry-after: ') ? 'shed' : 'OVERLOADED without Retry-After';
}

/** The data of a right answer. */
export function dataOf(answer: Answer): unknown {
  return (JSON.parse(answer.body()) as { data: unknown }).data;
}
