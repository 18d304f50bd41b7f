const tolerance = 1e-4;
const fraction = /(-?\d+\.\d+(?:e-?\d+)?)/;

/**
 * Whether two answers are the same text but for numbers with a fraction, which may differ by 0.0001: what a model says
 * hangs in the last digits on the rows that share its batch.
 */
export function isSameAnswer(got: string, expected: string): boolean {
  if (got === expected) return true;
  const [gotParts, expectedParts] = [got.split(fraction), expected.split(fraction)];
  if (gotParts.length !== expectedParts.length) return false;
  // Numbers and what is between them take turns.
  return gotParts.every((part, index) => {
    const wanted = expectedParts[index]!;
    return part === wanted || (index % 2 === 1 && Math.abs(Number(part) - Number(wanted)) <= tolerance);
  });
}
