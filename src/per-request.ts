/** Where what is made for a request is kept, by what makes it. */
export interface MadeForRequest {
  readonly made: Map<unknown, unknown>;
}

/**
 * What is made once for each request, when it is first asked for, and dies with it. It hangs on the request itself: the
 * values of a WeakMap that has grown old are roots of every young collection, so a request that is reached from its own
 * value stays until the next full one (measured: 5 of 22 MB survived each young collection, and a quarter of all CPU was
 * garbage collection).
 */
export function perRequest<Request extends MadeForRequest, Made>(
  make: (request: Request) => Made,
): (request: Request) => Made {
  return (request) => {
    const known = request.made.get(make);
    if (known !== undefined) return known as Made;
    const made = make(request);
    request.made.set(make, made);
    return made;
  };
}
