/** Where a shadow's prediction counts as the same as the one the viewer got: one rule for each task. Pure. */
import type { ForecastStep } from './forecast.ts';
import type { SentimentReading } from './sentiment.ts';

/** How far a forecast's medians may lie from those of the other, as a share of the load. */
const forecastTolerance = 0.05;

/** Sentiments agree when their labels do. */
export function agreeOnSentiment(served: SentimentReading, shadow: SentimentReading): boolean {
  return served.label === shadow.label;
}

/**
 * Forecasts of a site agree when their medians differ by at most 5 % of the load, both as means over the hours: a single
 * hour may differ more, such as one in which next to nothing is used.
 */
export function agreeOnForecast(served: readonly ForecastStep[], shadow: readonly ForecastStep[]): boolean {
  let difference = 0;
  let load = 0;
  for (const [hour, { p50 }] of served.entries()) {
    difference += Math.abs(p50 - (shadow[hour]?.p50 ?? Number.POSITIVE_INFINITY));
    load += Math.abs(p50);
  }
  return difference <= forecastTolerance * load;
}

/** Rows on which two answers to a call agree; a row that one of them failed on is none. */
export function countAgreed<Row>(
  served: readonly (Row | Error)[],
  shadow: readonly (Row | Error)[],
  agree: (served: Row, shadow: Row) => boolean,
): number {
  return served.filter((row, index) => {
    const other = shadow[index];
    return !(row instanceof Error) && other !== undefined && !(other instanceof Error) && agree(row, other);
  }).length;
}
