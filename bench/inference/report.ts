/** Prints figures, those with a target beside it; a missed target fails the process at its end. */
export interface Report {
  /** A part of the bench begins. */
  title(text: string): void;
  figure(text: string): void;
  check(text: string, target: string, isMet: boolean): void;
}

export function createReport(): Report {
  return {
    title: (text) => console.log(`\n${text}`),
    figure: (text) => console.log(`  ${text}`),
    check(text, target, isMet) {
      console.log(`  ${text} (target ${target}) ${isMet ? 'OK' : 'MISSED'}`);
      if (!isMet) process.exitCode = 1;
    },
  };
}
