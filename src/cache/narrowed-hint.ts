import { type CacheHint, type CacheScope, cacheScopes } from '../schema/policy.ts';

/** How long an answer may be kept, and for whom. */
export interface AnswerPolicy {
  /** Above 0. */
  readonly maxAgeSeconds: number;
  readonly scope: CacheScope;
}

/** The least time and the narrowest scope of all hints it was given. */
export class NarrowedHint {
  #maxAgeSeconds = Number.POSITIVE_INFINITY;
  #scope: CacheScope = 'public';

  narrow({ maxAgeSeconds, scope }: CacheHint): void {
    if (maxAgeSeconds !== undefined) this.#maxAgeSeconds = Math.min(this.#maxAgeSeconds, maxAgeSeconds);
    if (scope !== undefined && isNarrower(scope, this.#scope)) this.#scope = scope;
  }

  /** null: never, or nothing stated a time. */
  get policy(): AnswerPolicy | null {
    const isKept = this.#maxAgeSeconds > 0 && Number.isFinite(this.#maxAgeSeconds);
    return isKept ? { maxAgeSeconds: this.#maxAgeSeconds, scope: this.#scope } : null;
  }

  /**
   * What is left of a policy by which the answer was looked for. null: not to be kept, also because it turned out to be
   * for fewer than those who would find it.
   */
  within({ maxAgeSeconds, scope }: AnswerPolicy): AnswerPolicy | null {
    const least = Math.min(maxAgeSeconds, this.#maxAgeSeconds);
    return least > 0 && !isNarrower(this.#scope, scope) ? { maxAgeSeconds: least, scope } : null;
  }
}

function isNarrower(scope: CacheScope, other: CacheScope): boolean {
  return cacheScopes.indexOf(scope) > cacheScopes.indexOf(other);
}
