/** Fills gaps in a site's past loads, so that a forecast can start from them. Pure. */

/** Too little history to forecast from; the message says what is missing. */
export class ForecastHistoryError extends Error {
  override name = 'ForecastHistoryError';
}

const longestLineHours = 6;
const weekHours = 168;

/**
 * The last `lookbackHours` hourly loads without gaps, oldest first. `loads` holds one value an hour up to the hour
 * before the forecast's start, NaN where there is none; two weeks allow most gaps to be filled. Gaps of up to 6 hours
 * between two values become a straight line (at either end: the nearest value, when last week has none); longer ones
 * take the same hour of the week before.
 * Throws a ForecastHistoryError when hours remain empty or fewer than half of those returned were measured.
 */
export function fillHistory(loads: Float64Array, lookbackHours = weekHours): Float64Array {
  if (loads.length < lookbackHours) {
    throw new ForecastHistoryError(`expected at least ${lookbackHours} hours of readings, got ${loads.length}`);
  }
  const measured = loads.subarray(-lookbackHours).reduce((count, load) => count + (Number.isFinite(load) ? 1 : 0), 0);
  if (measured * 2 < lookbackHours) {
    throw new ForecastHistoryError(`expected readings for half of the last ${lookbackHours} hours, got ${measured}`);
  }
  const filled = loads.slice();
  let from = 0;
  while (from < filled.length) {
    const end = gapEnd(filled, from);
    if (end > from) fillGap(filled, from, end);
    from = end + 1;
  }
  const result = filled.slice(-lookbackHours);
  const missing = result.reduce((count, load) => count + (Number.isFinite(load) ? 0 : 1), 0);
  if (missing > 0) {
    throw new ForecastHistoryError(
      `expected ${lookbackHours} hours of readings, or the week before; ${missing} hours have neither`,
    );
  }
  return result;
}

/** The first index from `from` on that holds a value, or the length. */
function gapEnd(loads: Float64Array, from: number): number {
  let end = from;
  while (end < loads.length && !Number.isFinite(loads[end])) end++;
  return end;
}

function fillGap(loads: Float64Array, from: number, end: number): void {
  const before = loads[from - 1] ?? Number.NaN;
  const after = loads[end] ?? Number.NaN;
  const length = end - from;
  const isShort = length <= longestLineHours;
  for (let i = from; i < end; i++) {
    const line = before + ((after - before) * (i - from + 1)) / (length + 1);
    if (isShort && Number.isFinite(line)) loads[i] = line;
    else loads[i] = loads[i - weekHours] ?? Number.NaN;
    if (isShort && Number.isNaN(loads[i])) loads[i] = Number.isFinite(before) ? before : after;
  }
}
