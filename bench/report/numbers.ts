/** At most three digits that count, thousands apart: 0.5, 4.57, 1,235. */
export function formatNumber(value: number): string {
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** Something measured, which has its last digits even where they are 0: 0.500, 4.57, 57.0. Not measured: an en dash. */
export function formatFigure(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (Number.isInteger(value) || Math.abs(value) >= 100) return formatNumber(value);
  return value.toLocaleString('en', { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
}

/** `2 budgets`, `1 budget`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/** 1, 2, 5, 10 … between the two; 1, 3, 10 … or 1, 10 … alone where those would be many. */
export function steps(from: number, to: number): number[] {
  const powers = Array.from({ length: 30 }, (_, index) => index - 10);
  const within = (digits: readonly number[]) =>
    powers
      .flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)))
      .filter((value) => value >= from && value <= to);
  return (
    [
      [1, 2, 5],
      [1, 3],
    ]
      .map(within)
      .find((values) => values.length <= 7) ?? within([1])
  );
}

/** From 0 by some four steps of 1, 2 or 5 times a power of ten. */
export function roundSteps(to: number): number[] {
  const power = 10 ** Math.floor(Math.log10(to / 4));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => to / size <= 5)!;
  return Array.from({ length: Math.floor(to / step) + 1 }, (_, index) => index * step);
}
