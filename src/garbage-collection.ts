import { setFlagsFromString } from 'node:v8';

/**
 * Sets how V8 (14) collects garbage in a server, whose requests leave nothing behind. For the whole process, before the
 * first request: what is optimized by then stays as it is.
 *
 * How large the young generation may become is settled before any code runs, so "npm start" says it: halves of 16 MiB, where
 * Node 26 has 32. RSS with a full cache: 446 MiB instead of 491, at the same CPU (bench/NOTES.md).
 */
export function tuneGarbageCollection(): void {
  // Where most of the objects that a piece of code makes are found alive, as in a first burst, V8 makes all later ones
  // old from birth. They die at once, but until the next full collection they keep what they point to: a page of features
  // left 86 kB of rows and their texts among the old, now 8. CPU of all threads for the page of features of bench
  // four-queries: 706 to 566 µs; for that of conversations: 1,109 to 846.
  setFlagsFromString('--no-allocation-site-pretenuring');
  // What is old is collected in full when it has grown by half; by default it may become four times as much. It costs pages
  // 4 to 7 % of their CPU; RSS was 494 MiB at most in nine minutes of bench endurance, and 731 by default in one.
  setFlagsFromString('--heap-growing-percent=50');
}
