/** The operations that metrics know by name; all others are one. */
export interface OperationNames {
  has(name: string): boolean;
  /** Takes up a name that was not chosen by a client. Of no effect when there is no more room. */
  add(name: string): void;
}

/** Each name makes several series, which stay until the process ends, also when its document is gone. */
const maxNames = 1_000;

/**
 * Names to label metrics by: those given, and those of trusted documents from when they first run. So it takes no
 * look into a manifest, a new manifest is known at once, and the names that are used come first.
 */
export function createOperationNames(known: Iterable<string>): OperationNames {
  const names = new Set(known);
  return {
    has: (name) => names.has(name),
    add: (name) => {
      if (names.size < maxNames) names.add(name);
    },
  };
}
