import { setFlagsFromString } from 'node:v8';

/** By how much what is old may grow before it is collected in full, in percent; by default V8 lets it become four times as much. */
const growthPercent = { withAnswers: 35, withoutAnswers: 100 };

/**
 * Sets how V8 (14) collects garbage in a server, whose requests leave nothing behind. For the whole process, before the
 * first request: what is optimized by then stays as it is.
 * @param keepsAnswers whether answers are kept: then 130 MB live with a full cache, else 45
 */
export function tuneGarbageCollection({ keepsAnswers }: { keepsAnswers: boolean }): void {
  // Where most of the objects that a piece of code makes are found alive, as in a first burst, V8 makes all later ones
  // old from birth. They die at once, but until the next full collection they keep what they point to: a page of features
  // left 86 kB of rows and their texts among the old, now 8. CPU of all threads for the page of features of bench
  // four-queries: 706 to 566 µs; for that of conversations: 1,109 to 846.
  setFlagsFromString('--no-allocation-site-pretenuring');
  // RSS was 731 MiB by default in one minute of bench endurance. What the growth costs and saves: bench/NOTES.md, Memory.
  const percent = keepsAnswers ? growthPercent.withAnswers : growthPercent.withoutAnswers;
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
